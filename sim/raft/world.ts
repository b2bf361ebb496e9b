import type { NodeId } from '../../src/raft/core/types.ts'
import type { KeyChange } from '../../src/raft/kv/history.ts'
import { APPEND_BYTES_MAX } from '../../src/raft/node/options.ts'
import { admission, makeNodeId } from '../../src/raft/replica/identity.ts'
import { Rng } from '../engine/random.ts'
import { Scheduler } from '../engine/scheduler.ts'
import { Checker, Violation } from './checks.ts'
import { type Histories, REGISTER, RegisterClient } from './client.ts'
import { Courier } from './courier.ts'
import { FAULTS } from './faults.ts'
import { LeaseHolder } from './lease-holder.ts'
import { isLinearizable } from './linearizable.ts'
import { SimMember } from './member.ts'
import { Network } from './network.ts'
import { STEADINESS_MS, tryPatience } from './steadiness.ts'

export interface RaftRunResult {
  readonly seed: string
  readonly elections: number
  readonly messages: number
  readonly committed: number
  readonly operations: number
  readonly renewals: number
  readonly expirations: number
  /** How often each kind happened. */
  readonly faults: ReadonlyMap<string, number>
  readonly unclear: number
  readonly simulatedMs: number
  readonly violation: { readonly invariant: string; readonly text: string; readonly atMs: number } | null
}

/** A group must serve its clients again so soon after the last fault. */
const RECOVERY_MS = 20_000
const LOOK_MS = 2000
/** Of all seeds. */
const STEADINESS_SHARE = 0.3
const REIGNS_SHARE = 0.3

/** A group, its clients and what happens to them, all from one seed. */
export class RaftWorld {
  readonly scheduler = new Scheduler()
  readonly checker = new Checker()
  readonly network: Network
  readonly courier: Courier
  members: SimMember[] = []
  lostDisks = 0
  /** No more faults. */
  isCalm = false
  readonly #seed: string
  readonly #rng: Rng
  readonly #histories: Histories = new Map()
  readonly #written = new Set<string>()
  readonly #clients: RegisterClient[]
  readonly #holders: LeaseHolder[]
  readonly #appendBytesMax: number
  #lives = 0
  readonly #faults = new Map<string, number>()
  #unclear = 0

  constructor(seed: string) {
    this.#seed = seed
    this.#rng = new Rng(`raft ${seed}`)
    const { scheduler } = this
    this.network = new Network(scheduler, this.#rng.fork('network'), (message) => {
      this.members.find(({ id }) => id === message.to)?.step(message)
    })
    this.network.onBroken = ({ from, to }) => {
      this.members.find(({ id }) => id === from)?.replica?.raft.reportLost(to)
    }
    this.courier = new Courier(scheduler, this.#rng.fork('courier'), () => this.members)
    const world = { scheduler, courier: this.courier }
    this.#clients = ['c1', 'c2', 'c3'].map(
      (name) => new RegisterClient(name, { ...world, rng: this.#rng.fork(name), histories: this.#histories }),
    )
    this.#holders = ['a', 'b'].map(
      (name) => new LeaseHolder(name, { ...world, rng: this.#rng.fork(name), rivals: () => this.#holders }),
    )
    this.checker.onChange = (change) => {
      this.#checkOnce(change)
      for (const holder of this.#holders) holder.onChange(change)
    }
    // Few bytes: a follower learns of the entries one after the other.
    this.#appendBytesMax = this.#rng.pick([APPEND_BYTES_MAX, APPEND_BYTES_MAX, 400, 150])
    const size = this.#rng.pick([3, 3, 4, 5])
    const founders = Array.from({ length: size }, (_, i) => this.newMember(`n${i + 1}`))
    const membership = { voters: founders.map(({ id }) => id), learners: [] }
    for (const member of founders) {
      member.disk.write({
        snapshot: { index: 1, term: 1, membership, data: '' },
        entries: [],
        hardState: { term: 1, vote: null },
      })
    }
  }

  async run(turbulentMs: number): Promise<RaftRunResult> {
    const { scheduler } = this
    let violation: RaftRunResult['violation'] = null
    try {
      for (const member of this.members) member.start()
      for (const client of this.#clients) client.next()
      for (const holder of this.#holders) holder.next()
      this.#disturb()
      this.#lookAround()
      scheduler.at(turbulentMs, () => this.#calmDown())
      await scheduler.run(turbulentMs + RECOVERY_MS, () => false)
      if (this.#rng.chance(STEADINESS_SHARE) && this.#canProgress()) {
        tryPatience(this)
        await scheduler.run(scheduler.now + STEADINESS_MS, () => false)
      }
      this.#judge(turbulentMs)
    } catch (error) {
      const invariant = error instanceof Violation ? error.invariant : 'no exception'
      const text = error instanceof Violation ? error.message : ((error as Error).stack ?? String(error))
      violation = { invariant, text, atMs: scheduler.now }
    }
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
    return {
      seed: this.#seed,
      elections: this.checker.elections,
      messages: this.network.sent + this.network.doubled,
      committed: this.checker.committed,
      operations: this.answered(),
      renewals: sum(this.#holders.map(({ acquired, renewed }) => acquired + renewed)),
      expirations: sum(this.#holders.map(({ expired }) => expired)),
      faults: this.#faults,
      unclear: this.#unclear,
      simulatedMs: scheduler.now,
      violation,
    }
  }

  /** Operations of the clients. */
  answered(): number {
    return this.#clients.reduce((sum, client) => sum + client.answered, 0)
  }

  leader(): SimMember | null {
    return this.members.find((member) => member.replica?.raft.isLeader) ?? null
  }

  /** One as a rule; more where some have not heard yet that there is another. */
  leaders(): SimMember[] {
    return this.members.filter((member) => member.replica?.raft.isLeader)
  }

  newMember(address: string): SimMember {
    this.#lives += 1
    const member = new SimMember(makeNodeId(address, String(this.#lives)), {
      scheduler: this.scheduler,
      rng: this.#rng.fork(`member ${this.#lives}`),
      checker: this.checker,
      appendBytesMax: this.#appendBytesMax,
      send: (message) => this.network.send(message),
    })
    this.members.push(member)
    return member
  }

  /** A process without data asks whoever leads until it votes. */
  enrol(member: SimMember): void {
    member.start()
    const ask = (): void => {
      if (!this.members.includes(member)) return
      const leader = this.leader()
      const raft = leader?.replica?.raft
      if (leader && raft) {
        const next = admission(raft.log.membership, member.id)
        if (next.kind === 'voter') return
        if (next.kind === 'change') raft.proposeMembership(next.change)
        leader.pump()
      }
      this.scheduler.after(500, ask)
    }
    this.scheduler.after(50, ask)
  }

  forget(member: SimMember): void {
    member.crash()
    member.isGone = true
    this.members = this.members.filter((one) => one !== member)
  }

  #disturb(): void {
    const rng = this.#rng.fork('faults')
    const kinds = rng.shuffle(Object.keys(FAULTS)).slice(0, rng.int(2, 8))
    if (rng.chance(REIGNS_SHARE)) kinds.splice(1, kinds.length, ...Array.from({ length: 4 }, () => 'short reigns'))
    // What most elections come from, beside the other faults.
    if (rng.chance(0.6)) kinds.push('impatience', 'unfinished replication', 'short reigns', 'leader cut off')
    const pauseMs = rng.pick([100, 300, 700, 1500, 3000])
    const next = (): void => {
      this.scheduler.after(rng.exponential(pauseMs), () => {
        if (this.isCalm) return
        const kind = rng.pick(kinds)
        this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1)
        FAULTS[kind]?.(this, rng)
        next()
      })
    }
    next()
  }

  #lookAround(): void {
    this.checker.checkLogs(this.members)
    this.scheduler.after(LOOK_MS, () => this.#lookAround())
  }

  #calmDown(): void {
    this.isCalm = true
    this.network.heal()
    this.courier.lossRate = 0
    this.courier.slowRate = 0
    const since = this.#clients.map(({ answered }) => answered)
    for (const member of this.members) {
      member.disk.fullUntil = 0
      member.disk.syncMs = 2
      member.powerCut = null
      member.start()
    }
    this.scheduler.after(RECOVERY_MS - 1000, () => {
      const stuck = this.#clients.findIndex((client, i) => client.answered - (since[i] ?? 0) < 20)
      if (stuck >= 0 && this.#canProgress()) throw new Violation('progress', `client ${stuck + 1} is not served`)
    })
  }

  /** A majority of the voters still exists: those whose disks are lost do not. */
  #canProgress(): boolean {
    const ids = new Set<NodeId>(this.members.map(({ id }) => id))
    const logs = this.members.flatMap(({ replica }) => (replica ? [replica.raft.log] : []))
    const lastTerm = (log: (typeof logs)[number]): number => log.term(log.lastIndex) ?? 0
    const newest = logs.sort((a, b) => lastTerm(b) - lastTerm(a) || b.lastIndex - a.lastIndex)[0]
    const voters = newest?.membership.voters ?? []
    return voters.filter((id) => ids.has(id)).length > voters.length / 2
  }

  /** No value of a register is ever written a second time: who writes it again carries out one request twice. */
  #checkOnce({ key, after }: KeyChange): void {
    if (!after || !key.startsWith(REGISTER)) return
    if (this.#written.has(after.value)) {
      throw new Violation('carried out once', `${after.value} was written to ${key} a second time`)
    }
    this.#written.add(after.value)
  }

  #judge(turbulentMs: number): void {
    for (const [key, history] of this.#histories) {
      const verdict = isLinearizable(history)
      if (verdict === 'unclear') this.#unclear += 1
      if (verdict === 'no') {
        throw new Violation('linearizability', `no order explains what clients saw of ${key} before ${turbulentMs} ms`)
      }
    }
  }
}
