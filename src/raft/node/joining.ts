import type { Budget, Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { majority } from '../core/membership.ts'
import type { NodeId } from '../core/types.ts'
import { addressOf } from '../replica/identity.ts'
import type { CallOutcome } from '../transport/mesh.ts'
import type { Driver } from './driver.ts'
import { withinMs } from './limits.ts'
import { type MembershipReport, parseMembershipReport, type Request } from './requests.ts'

/** Why a member has not arrived yet, for those who wait. */
export type Arrival = { readonly kind: 'arrived' } | { readonly kind: 'on the way'; readonly reason: string }

interface JoiningDeps {
  readonly id: NodeId
  readonly partners: readonly string[]
  readonly driver: Driver
  readonly clock: Clock
  readonly log: Log
  readonly call: (address: string, request: Request, budget: Budget) => Promise<CallOutcome>
}

const ROUND_MS = 300
const ANSWER_MS = 1000
/** A member that belongs to a group by its own log waits so long for the leader before it asks around. */
const PATIENCE_ROUNDS = 10

/**
 * How a member without data finds its group. If anybody knows of a group, it asks to be admitted there. If a majority
 * of the configured members has no data either, the one with the lowest address founds the group with those that it
 * has heard of; the others join it. A founder alone, or with a minority, waits: the group may exist without it.
 */
export class Joining {
  readonly #deps: JoiningDeps
  #settled = false
  #arrival: Arrival = { kind: 'on the way', reason: 'raft: nobody was asked yet' }

  constructor(deps: JoiningDeps) {
    this.#deps = deps
  }

  get arrival(): Arrival {
    return this.#arrival
  }

  get isSettled(): boolean {
    return this.#settled
  }

  /** Until this member has a leader and votes. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    for (let round = 0; !signal.aborted; round += 1) {
      const reason = await this.#round(round, signal)
      if (reason === null) {
        this.#settled = true
        this.#arrival = { kind: 'arrived' }
        return
      }
      if (this.#arrival.kind === 'on the way' && this.#arrival.reason !== reason) log.info(reason)
      this.#arrival = { kind: 'on the way', reason }
      await clock.sleep(ROUND_MS, signal)
    }
  }

  /** @returns why it has not arrived; `null`: it has */
  async #round(round: number, signal: AbortSignal): Promise<string | null> {
    const { driver, id } = this.#deps
    const { raft } = driver.replica
    const { voters, learners } = raft.log.membership
    const isFresh = voters.length + learners.length === 0
    if (voters.includes(id) && raft.leader !== null) return null
    if (driver.failure !== null) return driver.failure
    if (voters.includes(id) && round % PATIENCE_ROUNDS !== PATIENCE_ROUNDS - 1) return 'raft: waiting for a leader'
    const reports = await this.#ask(signal)
    const group = reports.find((report) => report.voters.length > 0 && report.leader !== null)
    if (group) return this.#join(group, signal)
    if (reports.some((report) => report.voters.length > 0)) return 'raft: the group has no leader at the moment'
    return isFresh ? this.#found(reports) : 'raft: waiting for a majority of the group'
  }

  /** A member that hears no leader any more may have been removed; nobody tells it otherwise. */
  async explainSilence(signal: AbortSignal): Promise<void> {
    const { id, log } = this.#deps
    const reports = await this.#ask(signal)
    const group = reports.find((report) => report.voters.length > 0 && report.leader !== null)
    if (!group || group.voters.includes(id) || group.learners.includes(id)) return
    const members = group.voters.map(addressOf).join(', ')
    log.warning(`raft: this member does not belong to the group of ${members} any more; a restart lets it join again`)
  }

  async #ask(signal: AbortSignal): Promise<MembershipReport[]> {
    const { clock, call, id, driver, partners } = this.#deps
    const { voters, learners } = driver.replica.raft.log.membership
    const addresses = new Set([...partners, ...[...voters, ...learners].map(addressOf)])
    addresses.delete(addressOf(id))
    const time = withinMs(clock, ANSWER_MS, signal)
    const asked = [...addresses].map(async (address) => {
      const outcome = await call(address, { do: 'membership' }, time.budget)
      return outcome.kind === 'answer' ? parseMembershipReport(outcome.body) : null
    })
    const reports = await Promise.all(asked)
    time.done()
    return reports.filter((report) => report !== null)
  }

  async #join(group: MembershipReport, signal: AbortSignal): Promise<string | null> {
    const { clock, call, id } = this.#deps
    if (group.voters.includes(id)) return 'raft: waiting to hear from the leader'
    const time = withinMs(clock, 2 * ANSWER_MS, signal)
    const outcome = await call(addressOf(group.id), { do: 'join', id, hops: 1 }, time.budget)
    time.done()
    if (outcome.kind !== 'answer') return `raft: joining the group of ${addressOf(group.id)}: ${outcome.reason}`
    const { failed } = outcome.body
    return typeof failed === 'string' ? `raft: joining the group: ${failed}` : 'raft: joining the group'
  }

  #found(reports: readonly MembershipReport[]): string {
    const { id, partners, driver, log } = this.#deps
    const self = addressOf(id)
    const configured = [...new Set([self, ...partners])].sort()
    const fresh = reports.filter((report) => configured.includes(addressOf(report.id)))
    const needed = majority(configured.length)
    if (fresh.length + 1 < needed) {
      return `raft: to found the group, ${needed} of ${configured.join(', ')} must be there`
    }
    const [founder] = configured
    if (founder !== self) return `raft: waiting for ${founder} to found the group`
    const voters = [id, ...fresh.map((report) => report.id)]
    log.info(`raft: founding a group of ${voters.map(addressOf).join(', ')}`)
    const snapshot = { index: 1, term: 1, membership: { voters, learners: [] }, data: '' }
    driver.step({ from: id, to: id, term: 1, body: { kind: 'snapshot', snapshot } })
    driver.replica.raft.campaign()
    driver.kick()
    return 'raft: waiting for the first election'
  }
}
