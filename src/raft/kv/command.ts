/**
 * What goes through the log, as JSON. A client opens a session first; each of its requests has a number, so that one
 * that is sent again, because its answer was lost, is not carried out twice.
 */
export type Command =
  | { readonly kind: 'open' }
  | {
      readonly kind: 'transaction'
      readonly session: number
      readonly request: number
      /** All requests of the session below this one have been answered: their results need not be kept. */
      readonly answeredBelow: number
      readonly transaction: Transaction
    }
  /** Of the leader: nobody has renewed the lease since `renewal`, and its time is over. */
  | { readonly kind: 'expire'; readonly lease: string; readonly renewal: number }

/** The first branch whose conditions hold is carried out, all of it; none: nothing happens. */
export interface Transaction {
  readonly branches: readonly Branch[]
}

export interface Branch {
  readonly conditions: readonly Condition[]
  readonly changes: readonly Change[]
}

export type Condition =
  | { readonly kind: 'absent'; readonly key: string }
  | { readonly kind: 'version'; readonly key: string; readonly version: number }
  | { readonly kind: 'value'; readonly key: string; readonly value: string }

export type Change =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease: string | null }
  /** Moves the key to another lease; its value and version stay. */
  | { readonly kind: 'bind'; readonly key: string; readonly lease: string }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'delete-prefix'; readonly prefix: string }
  /** Grants the lease or prolongs it by a full term from now. */
  | { readonly kind: 'lease'; readonly lease: string; readonly ttlMs: number }

export type Result =
  | { readonly kind: 'opened'; readonly session: number }
  /** `branch`: which one; `null`: none held. `version`: of everything that was put. */
  | { readonly kind: 'carried-out'; readonly branch: number | null; readonly version: number }
  /** The session is unknown, or the result of this request is no longer kept: nothing was done now. */
  | { readonly kind: 'no-session' }
  | { readonly kind: 'expired' }

export function printCommand(command: Command): string {
  return JSON.stringify(command)
}

/** Commands come out of our own log: whoever put one in has checked it. */
export function readCommand(text: string): Command {
  return JSON.parse(text) as Command
}
