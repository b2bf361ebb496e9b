import type { JsonObject } from '../../cluster/json.ts'
import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { Budget, Clock } from '../../ports/clock.ts'
import type { MembershipChange } from '../core/membership.ts'
import type { NodeId } from '../core/types.ts'
import { addressOf, admission, memberAt } from '../replica/identity.ts'
import type { CallOutcome } from '../transport/mesh.ts'
import type { Driver } from './driver.ts'
import { withinMs } from './limits.ts'
import { parseMembershipReport, parseRequest, type Request } from './requests.ts'

interface ServiceDeps {
  readonly clock: Clock
  readonly call: (address: string, request: Request, budget: Budget) => Promise<CallOutcome>
  readonly isConnected: (address: string) => boolean
  readonly startedAt: Instant
}

type LeaderRequest = Extract<Request, { readonly hops: number }>

/** Who asked may be gone after so long. */
const LIMIT_MS = 5000

/** Answers what other members and clients ask. Whatever only the leader can do is passed on to it, once. */
export class Service {
  readonly #driver: Driver
  readonly #deps: ServiceDeps

  constructor(driver: Driver, deps: ServiceDeps) {
    this.#driver = driver
    this.#deps = deps
  }

  async answer(body: JsonObject): Promise<JsonObject> {
    const request = parseRequest(body)
    if (!request) return { failed: 'the request cannot be understood' }
    if (this.#driver.failure !== null) return { failed: this.#driver.failure, again: this.#driver.failure }
    switch (request.do) {
      case 'membership':
        return this.#membership()
      case 'status':
        return this.#status()
      case 'read':
        return this.#read(request.prefix)
      case 'submit':
      case 'join':
      case 'add':
      case 'remove':
      case 'transfer':
        return this.#atLeader(request)
    }
  }

  #membership(): JsonObject {
    const { membership, leader, id } = this.#driver.replica.raft.status
    return { id, voters: membership.voters, learners: membership.learners, leader }
  }

  #status(): JsonObject {
    const { raft } = this.#driver.replica
    const { id, role, term, leader, membership, committed, applied, firstIndex, lastIndex, followers } = raft.status
    const members = [...membership.voters, ...membership.learners].map((one) => {
      const address = addressOf(one)
      const follower = followers.find((candidate) => candidate.id === one)
      return {
        address,
        voter: membership.voters.includes(one),
        leader: one === leader,
        connected: one === id || this.#deps.isConnected(address),
        ...(follower ? { match: follower.match, active: follower.active } : {}),
      }
    })
    return {
      self: addressOf(id),
      role,
      term,
      leader: leader === null ? null : addressOf(leader),
      members,
      committed,
      applied,
      logLength: lastIndex - firstIndex + 1,
      uptimeMs: Math.round(elapsedMs(this.#deps.startedAt, this.#deps.clock.now())),
    }
  }

  #read(prefix: string): Promise<JsonObject> {
    const { replica } = this.#driver
    return this.#within((done) => {
      const forget = replica.read((confirmed) => {
        done(
          confirmed
            ? { keys: replica.kvs.withPrefix(prefix).map((kv) => ({ ...kv })) }
            : { failed: 'nobody leads the group at the moment' },
        )
      })
      return forget
    })
  }

  async #atLeader(request: LeaderRequest): Promise<JsonObject> {
    const { raft } = this.#driver.replica
    const { leader } = raft
    if (raft.isLeader) return this.#lead(request)
    if (leader === null) return notNow('nobody leads the group at the moment')
    if (request.hops <= 0) return notNow('this member does not lead')
    const time = withinMs(this.#deps.clock, LIMIT_MS)
    const outcome = await this.#deps.call(addressOf(leader), { ...request, hops: 0 }, time.budget)
    time.done()
    return outcome.kind === 'answer' ? outcome.body : notNow(outcome.reason)
  }

  #lead(request: LeaderRequest): Promise<JsonObject> | JsonObject {
    switch (request.do) {
      case 'submit':
        return this.#within((done) => {
          this.#driver.replica.submit(request.command, (outcome) => {
            if (outcome.kind === 'applied') done({ index: outcome.index, result: outcome.result })
            else done(notNow(outcome.kind === 'waiting' ? outcome.reason : 'the leader changes'))
          })
        })
      case 'join':
        return this.#admit(request.id)
      case 'add':
        return this.#add(request.address)
      case 'remove':
        return this.#remove(request.address)
      case 'transfer':
        return this.#transfer(request.address)
    }
  }

  #admit(id: NodeId): JsonObject {
    const { raft } = this.#driver.replica
    const next = admission(raft.log.membership, id)
    if (next.kind !== 'change') return { done: next.kind }
    return this.#change(next.change)
  }

  /** The address must answer: it is part of the group only by the life of its data. */
  async #add(address: string): Promise<JsonObject> {
    const known = memberAt(this.#driver.replica.raft.log.membership, address)
    const time = withinMs(this.#deps.clock, LIMIT_MS / 2)
    const outcome = await this.#deps.call(address, { do: 'membership' }, time.budget)
    time.done()
    if (outcome.kind !== 'answer') {
      return known
        ? { failed: `${address} belongs to the group already` }
        : { failed: `${address} must be running to be added: ${outcome.reason}` }
    }
    const report = parseMembershipReport(outcome.body)
    if (!report) return { failed: `${address} does not answer as a member does` }
    if (report.id === known) return { failed: `${address} belongs to the group already` }
    if (addressOf(report.id) !== address) return { failed: `the member there has the address ${addressOf(report.id)}` }
    if (report.voters.length > 0 && !report.voters.some((id) => this.#knows(id))) {
      return { failed: `${address} belongs to another group` }
    }
    return this.#admit(report.id)
  }

  #knows(id: NodeId): boolean {
    const { voters, learners } = this.#driver.replica.raft.log.membership
    return voters.includes(id) || learners.includes(id)
  }

  #remove(address: string): JsonObject {
    const { raft } = this.#driver.replica
    const id = memberAt(raft.log.membership, address)
    if (id === null) return { failed: `${address} does not belong to the group` }
    return this.#change({ kind: 'remove', id })
  }

  #transfer(address: string): JsonObject {
    const { raft } = this.#driver.replica
    const id = memberAt(raft.log.membership, address)
    if (id === null) return { failed: `${address} does not belong to the group` }
    if (id === raft.status.id) return { done: 'leads already' }
    if (!raft.transfer(id)) return { failed: `${address} has no vote` }
    this.#driver.kick()
    return { done: 'asked' }
  }

  #change(change: MembershipChange): JsonObject {
    const proposed = this.#driver.replica.raft.proposeMembership(change)
    this.#driver.kick()
    if (proposed.kind === 'accepted') return { done: 'under way' }
    return notNow(proposed.kind === 'waiting' ? proposed.reason : 'the leader changes')
  }

  #within(begin: (done: (answer: JsonObject) => void) => (() => void) | void): Promise<JsonObject> {
    const time = withinMs(this.#deps.clock, LIMIT_MS)
    return new Promise((resolve) => {
      const done = (answer: JsonObject): void => {
        time.done()
        resolve(answer)
      }
      const forget = begin(done)
      time.budget.signal.addEventListener('abort', () => {
        forget?.()
        resolve(notNow('it takes too long'))
      })
      this.#driver.kick()
    })
  }
}

function notNow(reason: string): JsonObject {
  return { failed: reason, again: reason }
}
