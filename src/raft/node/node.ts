import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Budget } from '../../ports/clock.ts'
import { type Message, type NodeId } from '../core/types.ts'
import type { Command } from '../kv/command.ts'
import { addressOf, makeNodeId } from '../replica/identity.ts'
import type { ChangeListener, Submitted } from '../replica/replica.ts'
import { Storage } from '../storage/storage.ts'
import { stretchPassword } from '../transport/keys.ts'
import { Mesh } from '../transport/mesh.ts'
import { openTls, type Trust } from '../transport/trust.ts'
import type { KeyAccess, ReadOutcome, SubmitOutcome } from './access.ts'
import { Driver } from './driver.ts'
import { type Arrival, Joining } from './joining.ts'
import { atMost } from './limits.ts'
import { folderName, type NodeDeps, type NodeOptions } from './options.ts'
import { isPortFree } from './port.ts'
import { parseSubmitAnswer, printRequest } from './requests.ts'
import { Service } from './service.ts'

export type NodeStart =
  | { readonly kind: 'started'; readonly node: RaftNode }
  | { readonly kind: 'impossible'; readonly text: string }

/** One attempt at the leader, before it is asked again or somebody else is. */
const ATTEMPT_MS = 2000
const AGAIN_PAUSE_MS = 50
const LOOK_EVERY_MS = 1000
/** How long a leader that stops waits for its successor. */
const HAND_ON_MS = 500
/** A leader missed for so many looks is asked for, and again after so many. */
const EXPLAIN_AFTER = 6
const EXPLAIN_LOOKS = 60

/** A member of a group: everything from the disk to the network, and the keys in it. */
export class RaftNode implements KeyAccess {
  readonly #options: NodeOptions
  readonly #deps: NodeDeps
  readonly #driver: Driver
  readonly #mesh: Mesh
  readonly #joining: Joining
  readonly #end = new AbortController()
  readonly #leaderListeners = new Set<(leader: NodeId | null) => void>()
  #tasks: readonly Promise<void>[] = []
  /** Aborted whenever somebody else leads: what waits for the former leader need not. */
  #leadership = new AbortController()

  private constructor(
    options: NodeOptions,
    deps: NodeDeps,
    opened: Extract<Awaited<ReturnType<typeof Storage.open>>, { kind: 'opened' }>,
    trust: Trust,
  ) {
    this.#options = options
    this.#deps = deps
    const { clock, log, random } = deps
    this.#driver = new Driver(
      {
        clock,
        log,
        random: () => random.next(),
        storage: opened.storage,
        send: (message) => this.#mesh.send(message),
        onLeader: (leader) => this.#onLeader(leader),
      },
      opened.restored,
    )
    const service = new Service(this.#driver, {
      clock,
      call: (address, request, budget) => this.#mesh.call(address, printRequest(request), budget),
      isConnected: (address) => this.#mesh.isConnected(address),
      startedAt: clock.now(),
    })
    this.#mesh = new Mesh({
      self: { kind: 'member', id: opened.storage.id },
      ...trust,
      clock,
      log,
      onMessage: (message: Message) => this.#driver.step(message),
      onRequest: (body, answer) => void service.answer(body).then(answer),
      onLost: (address) => this.#onLost(address),
    })
    this.#joining = new Joining({
      id: opened.storage.id,
      partners: options.partners,
      driver: this.#driver,
      clock,
      log,
      call: (address, request, budget) => this.#mesh.call(address, printRequest(request), budget),
    })
  }

  /** Reads what the disk has and begins to listen. */
  static async start(options: NodeOptions, deps: NodeDeps): Promise<NodeStart> {
    const { bind, selfAddress, dataDir, password } = options
    const busy = await isPortFree(bind)
    if (busy !== null) return { kind: 'impossible', text: `raft: ${busy}` }
    const tls = openTls(options.tls, deps)
    if (typeof tls === 'string') return { kind: 'impossible', text: `raft: ${tls}` }
    const newId = makeNodeId(selfAddress, randomBytes(6).toString('hex'))
    const opened = await Storage.open(join(dataDir, folderName(selfAddress)), newId)
    if (opened.kind === 'unusable') return { kind: 'impossible', text: `raft: ${opened.text}` }
    if (opened.cutBytes > 0)
      deps.log.warning(`raft: ${opened.cutBytes} bytes of an unfinished write were cut off the log`)
    const secret = password === null ? null : await stretchPassword(password)
    const node = new RaftNode(options, deps, opened, { secret, tls })
    const problem = await node.#mesh.listen(bind.host, bind.port)
    if (problem !== null) {
      await node.stop()
      return { kind: 'impossible', text: `raft: cannot listen at ${bind.host ?? '*'}:${bind.port}: ${problem}` }
    }
    node.#driver.start()
    node.#tasks = [node.#joining.run(node.#end.signal), node.#look()]
    return { kind: 'started', node }
  }

  get replica(): Driver['replica'] {
    return this.#driver.replica
  }

  /** How far this member is on its way into the group. */
  get arrival(): Arrival {
    return this.#joining.arrival
  }

  /** Why this member does nothing any more, until it is started again. */
  get failure(): string | null {
    return this.#driver.failure
  }

  onChange(listener: ChangeListener): () => void {
    return this.#driver.replica.onChange(listener)
  }

  onLeader(listener: (leader: NodeId | null) => void): () => void {
    this.#leaderListeners.add(listener)
    return () => this.#leaderListeners.delete(listener)
  }

  async submit(command: Command, budget: Budget): Promise<SubmitOutcome> {
    let reason = 'no time left'
    while (this.#mayTry(budget)) {
      const attempt = await this.#attempt(command, budget)
      if (attempt.kind === 'result') return attempt
      reason = attempt.reason
      await this.#pause(budget)
    }
    return { kind: 'unknown', reason: this.failure ?? reason }
  }

  async #attempt(command: Command, budget: Budget): Promise<SubmitOutcome> {
    const { raft } = this.replica
    const { leader } = raft
    if (leader === null) return { kind: 'unknown', reason: 'raft: nobody leads the group' }
    if (raft.isLeader) {
      const submitted = await this.#own(command, budget)
      if (submitted.kind === 'applied') return { kind: 'result', result: submitted.result }
      return {
        kind: 'unknown',
        reason: `raft: ${submitted.kind === 'waiting' ? submitted.reason : 'the leader changes'}`,
      }
    }
    const limits = this.#whileSameLeader(budget)
    const address = addressOf(leader)
    const called = await this.#mesh.call(address, printRequest({ do: 'submit', command, hops: 0 }), limits.budget)
    limits.done()
    if (called.kind !== 'answer') return { kind: 'unknown', reason: `raft: ${called.reason}` }
    const answer = parseSubmitAnswer(called.body)
    if (answer.kind === 'again') return { kind: 'unknown', reason: `raft: ${answer.reason}` }
    // Who has written reads his own write here, too.
    await this.#untilApplied(answer.index, budget)
    return { kind: 'result', result: answer.result }
  }

  #own(command: Command, budget: Budget): Promise<Submitted> {
    return new Promise((resolve) => {
      const expire = (): void => resolve({ kind: 'lost' })
      budget.signal.addEventListener('abort', expire, { once: true })
      this.replica.submit(command, (outcome) => {
        budget.signal.removeEventListener('abort', expire)
        resolve(outcome)
      })
      this.#driver.kick()
    })
  }

  async #untilApplied(index: number, budget: Budget): Promise<void> {
    await new Promise<void>((resolve) => {
      const expire = (): void => resolve()
      budget.signal.addEventListener('abort', expire, { once: true })
      this.replica.whenApplied(index, () => {
        budget.signal.removeEventListener('abort', expire)
        resolve()
      })
    })
  }

  async read(prefix: string, budget: Budget): Promise<ReadOutcome> {
    const current = await this.whenCurrent(budget)
    return current === null
      ? { kind: 'keys', keys: this.replica.kvs.withPrefix(prefix) }
      : { kind: 'unknown', reason: current }
  }

  /** Waits until the keys here are at least as new as this call. @returns `null`, or why that cannot be told */
  async whenCurrent(budget: Budget): Promise<string | null> {
    while (this.#mayTry(budget)) {
      const limits = this.#whileSameLeader(budget)
      const confirmed = await this.#confirm(limits.budget)
      limits.done()
      if (confirmed) return null
      await this.#pause(budget)
    }
    return (
      this.failure ??
      (this.replica.raft.leader === null ? 'raft: nobody leads the group' : 'raft: the leader does not answer')
    )
  }

  #confirm(budget: Budget): Promise<boolean> {
    return new Promise((resolve) => {
      let forget = (): void => {}
      const expire = (): void => {
        forget()
        resolve(false)
      }
      forget = this.replica.read((confirmed) => {
        budget.signal.removeEventListener('abort', expire)
        resolve(confirmed)
      })
      if (budget.signal.aborted) expire()
      else budget.signal.addEventListener('abort', expire, { once: true })
      this.#driver.kick()
    })
  }

  /** A leader hands its lead on first. */
  async stop(): Promise<void> {
    if (this.failure === null) await this.#handOn()
    this.#end.abort()
    this.#leadership.abort()
    await Promise.all(this.#tasks)
    await this.#mesh.close()
    await this.#driver.stop()
  }

  /** To the one who has most: nobody has to find out by silence that this member is gone. */
  async #handOn(): Promise<void> {
    const { raft } = this.replica
    const { clock } = this.#deps
    const [successor] = raft.status.followers
      .filter(({ id, active }) => active && raft.log.membership.voters.includes(id))
      .sort((a, b) => b.match - a.match)
    if (!successor || !raft.transfer(successor.id)) return
    this.#driver.kick()
    const { signal } = this.#leadership
    await clock.sleep(HAND_ON_MS, signal)
  }

  #mayTry(budget: Budget): boolean {
    const isOver = budget.signal.aborted || this.#deps.clock.now() >= budget.deadline
    return !isOver && !this.#end.signal.aborted && this.failure === null
  }

  /** Ends early when somebody else leads. */
  #whileSameLeader(budget: Budget): { readonly budget: Budget; readonly done: () => void } {
    const { clock } = this.#deps
    const limited = atMost(clock, budget, ATTEMPT_MS)
    const change = new AbortController()
    const abort = (): void => change.abort()
    const { signal } = this.#leadership
    if (signal.aborted || budget.signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    budget.signal.addEventListener('abort', abort, { once: true })
    const time = clock.deadline(limited.deadline, change.signal)
    return {
      budget: { deadline: limited.deadline, signal: time.signal },
      done: () => {
        time.done()
        signal.removeEventListener('abort', abort)
        budget.signal.removeEventListener('abort', abort)
      },
    }
  }

  /** Until somebody else leads, or a moment has passed. */
  async #pause(budget: Budget): Promise<void> {
    if (!this.#mayTry(budget)) return
    const time = this.#deps.clock.deadline(atMost(this.#deps.clock, budget, AGAIN_PAUSE_MS).deadline, budget.signal)
    const { signal } = this.#leadership
    await new Promise<void>((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done)
        resolve()
      }
      if (time.signal.aborted) done()
      else {
        time.signal.addEventListener('abort', done, { once: true })
        signal.addEventListener('abort', done, { once: true })
      }
    })
    time.done()
  }

  #onLeader(leader: NodeId | null): void {
    this.#leadership.abort()
    this.#leadership = new AbortController()
    if (this.#end.signal.aborted) this.#leadership.abort()
    const { log } = this.#deps
    if (leader === null) log.info('raft: nobody leads the group')
    else log.info(`raft: ${addressOf(leader)} leads the group in term ${this.replica.raft.term}`)
    for (const listener of this.#leaderListeners) listener(leader)
  }

  #onLost(address: string): void {
    for (const { id } of this.replica.raft.status.followers) {
      if (addressOf(id) === address) this.replica.raft.reportLost(id)
    }
  }

  /** Connections follow the membership. */
  async #look(): Promise<void> {
    const { signal } = this.#end
    for (let silentLooks = 0; !signal.aborted; ) {
      silentLooks = this.#joining.isSettled && this.replica.raft.leader === null ? silentLooks + 1 : 0
      if (silentLooks % EXPLAIN_LOOKS === EXPLAIN_AFTER) await this.#joining.explainSilence(signal)
      const { voters, learners } = this.replica.raft.log.membership
      const members = [...voters, ...learners].map(addressOf)
      const known = members.length === 0 || !this.#joining.isSettled ? [...members, ...this.#options.partners] : members
      this.#mesh.keep([...new Set(known)].filter((address) => address !== this.#options.selfAddress))
      this.#mesh.look()
      await this.#deps.clock.sleep(LOOK_EVERY_MS, signal)
    }
  }
}
