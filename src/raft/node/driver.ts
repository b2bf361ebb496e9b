import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Entry, Message, NodeId, Ready, Restored } from '../core/types.ts'
import { Replica } from '../replica/replica.ts'
import { StorageError } from '../storage/files.ts'
import type { Storage } from '../storage/storage.ts'
import { APPEND_BYTES_MAX, KEEP_ENTRIES, SNAPSHOT_EVERY, TIMING } from './options.ts'

export interface DriverDeps {
  readonly clock: Clock
  readonly log: Log
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly storage: Pick<Storage, 'id' | 'save' | 'compact' | 'close'>
  /** @returns whether there was a connection to take it */
  readonly send: (message: Message) => boolean
  /** Somebody else leads, or nobody. */
  readonly onLeader: (leader: NodeId | null) => void
}

/** A full disk is tried again so often, and complained of so often. */
const FULL_PAUSE_MS = 1000
const FULL_COMPLAINTS = 30

/**
 * Does what the replica asks for, in the order that keeps its promises: write and sync first, then answer, then apply.
 * While the disk cannot take anything this member is as good as dead: it neither votes nor leads.
 */
export class Driver {
  readonly replica: Replica
  readonly #deps: DriverDeps
  readonly #end = new AbortController()
  #isPumping = false
  #isStalled = false
  #failure: string | null = null
  #leader: NodeId | null = null
  #ticking: Promise<void> | null = null
  #pumping: Promise<void> = Promise.resolve()

  constructor(deps: DriverDeps, restored: Restored) {
    this.#deps = deps
    const { clock, storage, random } = deps
    const { heartbeatTicks, electionTicks, jitterTicks } = TIMING
    this.replica = new Replica(
      {
        raft: { id: storage.id, heartbeatTicks, electionTicks, jitterTicks, appendBytesMax: APPEND_BYTES_MAX, random },
        now: () => clock.now(),
        firstRead: Math.floor(random() * 2 ** 30) * 2 ** 20,
        snapshotEvery: SNAPSHOT_EVERY,
        keepEntries: KEEP_ENTRIES,
      },
      restored,
    )
  }

  /** Why this member does nothing any more; `null`: it does. */
  get failure(): string | null {
    return this.#failure
  }

  start(): void {
    this.#ticking ??= this.#tick()
    this.kick()
  }

  async stop(): Promise<void> {
    this.#end.abort()
    this.replica.stop()
    await this.#ticking
    await this.#pumping
    await this.#deps.storage.close()
  }

  step(message: Message): void {
    if (this.#isIdle()) return
    this.replica.step(message)
    this.kick()
  }

  /** To be called after anything that may have made work. */
  kick(): void {
    if (this.#isPumping || this.#isIdle()) return
    this.#isPumping = true
    this.#pumping = this.#pump().finally(() => {
      this.#isPumping = false
    })
  }

  #isIdle(): boolean {
    return this.#isStalled || this.#failure !== null || this.#end.signal.aborted
  }

  async #tick(): Promise<void> {
    const { clock } = this.#deps
    const { signal } = this.#end
    while (!signal.aborted && this.#failure === null) {
      await clock.sleep(TIMING.tickMs, signal)
      if (this.#isIdle()) continue
      this.replica.tick()
      this.#noteLeader()
      this.kick()
    }
  }

  async #pump(): Promise<void> {
    try {
      for (
        let ready = this.replica.ready();
        ready !== null && !this.#end.signal.aborted;
        ready = this.replica.ready()
      ) {
        for (const message of ready.messages) this.#send(message)
        if (ready.snapshot || ready.hardState || ready.entries.length > 0) await this.#save(ready)
        if (this.#end.signal.aborted) return
        for (const message of ready.answers) this.#send(message)
        const snapshot = this.replica.finish(ready)
        this.#noteLeader()
        if (snapshot) {
          await this.#insist(() => this.#deps.storage.compact(snapshot, this.#entriesAfter(snapshot.index)))
        }
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  /** What has been written already; the rest comes with the next ready. */
  #entriesAfter(index: number): readonly Entry[] {
    const { log } = this.replica.raft
    return index >= log.stable
      ? []
      : log.slice(index + 1, Number.POSITIVE_INFINITY).filter((e) => e.index <= log.stable)
  }

  #send(message: Message): void {
    if (message.to === this.#deps.storage.id || this.#deps.send(message)) return
    // Other messages follow each other; one snapshot is waited for, for long.
    if (message.body.kind === 'snapshot') this.replica.raft.reportLost(message.to)
  }

  #save(ready: Ready): Promise<void> {
    return this.#insist(() => this.#deps.storage.save(ready))
  }

  /** Until there is room on the disk. Nothing is sent, answered or counted meanwhile. */
  async #insist(write: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#deps
    for (let attempt = 0; ; attempt += 1) {
      try {
        await write()
        if (attempt > 0) log.info('raft: there is room on the disk again')
        this.#isStalled = false
        return
      } catch (error) {
        if (!(error instanceof StorageError) || error.kind !== 'full') throw error
        this.#isStalled = true
        if (attempt % FULL_COMPLAINTS === 0)
          log.error(`raft: ${error.message}: this member takes no part until there is`)
        await clock.sleep(FULL_PAUSE_MS, this.#end.signal)
        if (this.#end.signal.aborted) return
      }
    }
  }

  #fail(error: unknown): void {
    this.#failure = error instanceof Error ? error.message : String(error)
    this.#deps.log.critical(`raft: ${this.#failure}. This member takes no part in the group until it is started again`)
    this.replica.stop()
    this.#noteLeader()
  }

  #noteLeader(): void {
    const leader = this.#failure === null ? this.replica.raft.leader : null
    if (leader === this.#leader) return
    this.#leader = leader
    this.#deps.onLeader(leader)
  }
}
