import type { Instant } from '../../src/cluster/time.ts'
import type { Message, NodeId, Ready } from '../../src/raft/core/types.ts'
import { TIMING } from '../../src/raft/node/options.ts'
import { Replica } from '../../src/raft/replica/replica.ts'
import type { Rng } from '../engine/random.ts'
import type { Scheduler } from '../engine/scheduler.ts'
import type { Checker } from './checks.ts'
import { Disk } from './disk.ts'
import { Watcher } from './watcher.ts'

const FULL_PAUSE_MS = 1000

interface Surroundings {
  readonly scheduler: Scheduler
  readonly rng: Rng
  readonly checker: Checker
  readonly appendBytesMax: number
  readonly send: (message: Message) => void
}

/** The real replica on a disk that forgets what was not synced, and with a clock of its own. */
export class SimMember {
  readonly id: NodeId
  readonly disk: Disk
  replica: Replica | null = null
  watcher: Watcher | null = null
  /** The power fails in the middle of what it writes next, and comes back after about so long. */
  powerCut: { readonly restartMs: number } | null = null
  /** Its disk is lost. */
  isGone = false
  readonly #world: Surroundings
  /** Its clock began at another time than the others' did. */
  readonly #clockOffset: number
  #life = 0
  #writing: Ready | null = null
  #stalled = false
  #frozenUntil = 0

  constructor(id: NodeId, world: Surroundings) {
    this.id = id
    this.#world = world
    this.disk = new Disk(world.rng.fork(`disk ${id}`))
    this.#clockOffset = world.rng.between(0, 1e6)
  }

  get isUp(): boolean {
    return this.replica !== null
  }

  start(): void {
    if (this.replica || this.isGone) return
    this.#life += 1
    this.powerCut = null
    const { scheduler, rng } = this.#world
    const raft = {
      id: this.id,
      heartbeatTicks: TIMING.heartbeatTicks,
      electionTicks: TIMING.electionTicks,
      jitterTicks: TIMING.jitterTicks,
      appendBytesMax: this.#world.appendBytesMax,
      random: () => rng.next(),
    }
    const options = {
      raft,
      now: () => (scheduler.now + this.#clockOffset) as Instant,
      firstRead: this.#life * 1_000_000,
      snapshotEvery: 60,
      keepEntries: 20,
    }
    this.replica = new Replica(options, this.disk.content)
    this.watcher = new Watcher(this.replica)
    this.#tick(this.#life)
    this.#after(0, () => this.pump())
  }

  crash(): void {
    if (this.#writing) this.disk.tear(this.#writing)
    this.#writing = null
    this.#stalled = false
    const { replica } = this
    this.replica = null
    this.#life += 1
    replica?.stop()
  }

  /** The process stands still; what arrives waits. */
  freeze(ms: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#world.scheduler.now + ms)
  }

  step(message: Message): void {
    this.run(() => {
      if (this.#stalled) return
      this.replica?.step(message)
      this.pump()
    })
  }

  /** Something that this process does, as soon as it can. */
  run(what: () => void): void {
    const { scheduler } = this.#world
    if (scheduler.now >= this.#frozenUntil) what()
    else this.#after(this.#frozenUntil - scheduler.now, () => this.run(what))
  }

  pump(): void {
    const { checker } = this.#world
    while (this.replica && !this.#writing) {
      const ready = this.replica.ready()
      checker.look(this)
      if (!ready) return
      for (const message of ready.messages) this.#send(message)
      if (ready.snapshot || ready.hardState || ready.entries.length > 0) {
        this.#writing = ready
        this.#write(ready)
        return
      }
      this.#finish(ready)
    }
  }

  #write(ready: Ready): void {
    const { scheduler } = this.#world
    if (scheduler.now < this.disk.fullUntil) {
      this.#stalled = true
      this.#after(FULL_PAUSE_MS, () => this.run(() => this.#write(ready)))
      return
    }
    const { powerCut } = this
    if (powerCut) {
      // What was sent too early arrives before that.
      const { rng } = this.#world
      this.#after(rng.between(0, 10), () => {
        this.crash()
        scheduler.after(rng.exponential(powerCut.restartMs), () => this.start())
      })
      return
    }
    this.#after(this.disk.latency(), () =>
      this.run(() => {
        this.#stalled = false
        this.disk.write(ready)
        this.#writing = null
        this.#finish(ready)
        this.pump()
      }),
    )
  }

  #finish(ready: Ready): void {
    const { replica } = this
    if (!replica) return
    for (const message of ready.answers) this.#send(message)
    const snapshot = replica.finish(ready)
    this.#world.checker.applied(this, ready)
    if (snapshot) this.disk.compact(snapshot)
  }

  #send(message: Message): void {
    if (message.to !== this.id) this.#world.send(message)
  }

  #tick(life: number): void {
    this.#after(TIMING.tickMs * this.#world.rng.between(0.95, 1.05), () => {
      this.run(() => {
        if (this.#life !== life) return
        if (!this.#stalled) {
          this.replica?.tick()
          this.pump()
        }
        this.#tick(life)
      })
    })
  }

  /** Dies with the process. */
  #after(ms: number, run: () => void): void {
    const life = this.#life
    this.#world.scheduler.after(ms, () => {
      if (this.#life === life) run()
    })
  }
}
