import type { Budget } from '../../ports/clock.ts'
import type { Command, Result } from '../kv/command.ts'
import type { KeyValue } from '../kv/history.ts'

export type SubmitOutcome =
  | { readonly kind: 'result'; readonly result: Result }
  /** It may be carried out, now or later; under the same number it is carried out once. */
  | { readonly kind: 'unknown'; readonly reason: string }

export type ReadOutcome =
  | { readonly kind: 'keys'; readonly keys: readonly KeyValue[] }
  | { readonly kind: 'unknown'; readonly reason: string }

/** The keys of a group, from inside or from outside of it. */
export interface KeyAccess {
  /** Carries out a command, trying again until the budget ends. */
  submit(command: Command, budget: Budget): Promise<SubmitOutcome>
  /** All keys that begin so, as new as the moment of asking. */
  read(prefix: string, budget: Budget): Promise<ReadOutcome>
}
