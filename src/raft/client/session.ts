import type { Budget } from '../../ports/clock.ts'
import type { Transaction } from '../kv/command.ts'
import type { KeyAccess } from '../node/access.ts'

export type TransactOutcome =
  /** `branch`: the one whose conditions held; `null`: none. */
  | { readonly kind: 'carried-out'; readonly branch: number | null; readonly version: number }
  | { readonly kind: 'unknown'; readonly reason: string }

/** A client's session: numbers its requests, so that trying again is harmless. */
export class Session {
  readonly #access: KeyAccess
  #opening: Promise<number | string> | null = null
  #id: number | null = null
  #nextRequest = 1
  readonly #open = new Set<number>()
  /** Ids that this client has had: what they did is its own doing. */
  readonly #ids = new Set<number>()

  constructor(access: KeyAccess) {
    this.#access = access
  }

  isOwn(session: number | null): boolean {
    return session !== null && this.#ids.has(session)
  }

  async transact(transaction: Transaction, budget: Budget): Promise<TransactOutcome> {
    const session = await this.#ensure(budget)
    if (typeof session === 'string') return { kind: 'unknown', reason: session }
    const request = this.#nextRequest
    this.#nextRequest += 1
    this.#open.add(request)
    const answeredBelow = Math.min(...this.#open)
    try {
      const command = { kind: 'transaction', session, request, answeredBelow, transaction } as const
      const outcome = await this.#access.submit(command, budget)
      if (outcome.kind === 'unknown') return outcome
      const { result } = outcome
      if (result.kind === 'carried-out') return result
      if (this.#id === session) this.#id = null
      return { kind: 'unknown', reason: 'raft: the session is no longer known' }
    } finally {
      this.#open.delete(request)
    }
  }

  /** @returns the session, or why there is none */
  async #ensure(budget: Budget): Promise<number | string> {
    if (this.#id !== null) return this.#id
    this.#opening ??= this.#openNew(budget).finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  async #openNew(budget: Budget): Promise<number | string> {
    const outcome = await this.#access.submit({ kind: 'open' }, budget)
    if (outcome.kind === 'unknown') return outcome.reason
    if (outcome.result.kind !== 'opened') return 'raft: the answer cannot be understood'
    this.#id = outcome.result.session
    this.#ids.add(this.#id)
    return this.#id
  }
}
