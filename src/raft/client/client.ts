import type { JsonObject } from '../../cluster/json.ts'
import type { Budget } from '../../ports/clock.ts'
import type { Command } from '../kv/command.ts'
import type { KeyAccess, ReadOutcome, SubmitOutcome } from '../node/access.ts'
import { atMost } from '../node/limits.ts'
import type { NodeDeps } from '../node/options.ts'
import { parseReadAnswer, parseSubmitAnswer, printRequest, type Request } from '../node/requests.ts'
import { stretchPassword } from '../transport/keys.ts'
import { Mesh } from '../transport/mesh.ts'
import type { TlsFiles } from '../transport/tls-files.ts'
import type { Trust } from '../transport/trust.ts'

export interface ClientOptions {
  /** Of members; any of them will do. */
  readonly addresses: readonly string[]
  readonly password: string | null
  /** Absent: connections are not in TLS. */
  readonly tls?: TlsFiles | null
}

export type AskOutcome =
  | { readonly kind: 'answer'; readonly body: JsonObject }
  | { readonly kind: 'nobody'; readonly reason: string }

const ATTEMPT_MS = 2500
const AGAIN_PAUSE_MS = 100

/** The keys of a group seen from outside: asks one member after the other, keeps to the one that answers. */
export class RaftClient implements KeyAccess {
  readonly #addresses: readonly string[]
  readonly #deps: NodeDeps
  readonly #mesh: Mesh
  #preferred = 0

  private constructor(options: ClientOptions, deps: NodeDeps, trust: Trust) {
    this.#addresses = options.addresses
    this.#deps = deps
    this.#mesh = new Mesh({
      self: { kind: 'client' },
      ...trust,
      clock: deps.clock,
      log: deps.log,
      onMessage: () => {},
      onRequest: (_body, answer) => answer({ failed: 'a client answers nothing' }),
      onLost: () => {},
    })
  }

  static async create(options: ClientOptions, deps: NodeDeps): Promise<RaftClient> {
    const secret = options.password === null ? null : await stretchPassword(options.password)
    return new RaftClient(options, deps, { secret, tls: options.tls ?? null })
  }

  async submit(command: Command, budget: Budget): Promise<SubmitOutcome> {
    let reason = 'no time left'
    while (this.#mayTry(budget)) {
      const asked = await this.ask({ do: 'submit', command, hops: 1 }, budget)
      if (asked.kind === 'answer') {
        const answer = parseSubmitAnswer(asked.body)
        if (answer.kind === 'result') return answer
        reason = answer.reason
      } else reason = asked.reason
      this.#next()
      await this.#deps.clock.sleep(AGAIN_PAUSE_MS, budget.signal)
    }
    return { kind: 'unknown', reason: `raft: ${reason}` }
  }

  async read(prefix: string, budget: Budget): Promise<ReadOutcome> {
    let reason = 'no time left'
    while (this.#mayTry(budget)) {
      const asked = await this.ask({ do: 'read', prefix }, budget)
      if (asked.kind === 'answer') {
        const keys = parseReadAnswer(asked.body)
        if (keys) return { kind: 'keys', keys }
        const { failed } = asked.body
        reason = typeof failed === 'string' ? failed : 'the answer cannot be understood'
      } else reason = asked.reason
      this.#next()
      await this.#deps.clock.sleep(AGAIN_PAUSE_MS, budget.signal)
    }
    return { kind: 'unknown', reason: `raft: ${reason}` }
  }

  /** Asks one member after the other until one answers. */
  async ask(request: Request, budget: Budget): Promise<AskOutcome> {
    const reasons = new Set<string>()
    for (let i = 0; i < this.#addresses.length && this.#mayTry(budget); i += 1) {
      const address = this.#addresses[this.#preferred % this.#addresses.length] ?? ''
      const outcome = await this.askAt(address, request, budget)
      if (outcome.kind === 'answer') return outcome
      reasons.add(outcome.reason)
      this.#next()
    }
    return { kind: 'nobody', reason: [...reasons].join('; ') || 'no time left' }
  }

  /** Asks this member. */
  async askAt(address: string, request: Request, budget: Budget): Promise<AskOutcome> {
    const { clock } = this.#deps
    const limited = atMost(clock, budget, ATTEMPT_MS)
    const time = clock.deadline(limited.deadline, budget.signal)
    const outcome = await this.#mesh.call(address, printRequest(request), { ...limited, signal: time.signal })
    time.done()
    return outcome.kind === 'answer' ? outcome : { kind: 'nobody', reason: outcome.reason }
  }

  close(): Promise<void> {
    return this.#mesh.close()
  }

  #next(): void {
    this.#preferred = (this.#preferred + 1) % Math.max(1, this.#addresses.length)
  }

  #mayTry(budget: Budget): boolean {
    return !budget.signal.aborted && this.#deps.clock.now() < budget.deadline
  }
}
