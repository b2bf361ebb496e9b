import { type Lsn, lsn } from '../../src/cluster/lsn.ts'
import { timeline } from '../../src/cluster/timeline.ts'
import type { StopMode } from '../../src/ports/postgres.ts'
import { EPOCH_MS } from '../engine/clock.ts'
import { Process } from '../engine/process.ts'
import { CommitQueue } from './commits.ts'
import type { DataFiles } from './data.ts'
import type { ReplicationLink } from './link.ts'
import { WalReceiver } from './receiver.ts'
import type { PgServer } from './server.ts'
import { duration } from './surroundings.ts'
import type { Branch } from './wal.ts'

const CHECKPOINT_BYTES = 120
const END_OF_RECOVERY_BYTES = 56

/** One life of a postmaster with its children, from launch to end. */
export class Postmaster {
  readonly server: PgServer
  readonly files: DataFiles
  readonly process: Process
  /** As PostgreSQL prints it. */
  readonly startTime: string
  phase: 'starting' | 'ready' | 'stopping' | 'ended' = 'starting'
  inRecovery: boolean
  replayLsn: Lsn
  replayPaused = false
  #promoting = false
  readonly receiver: WalReceiver
  readonly commits: CommitQueue
  /** Walsenders by application name. */
  readonly links = new Map<string, ReplicationLink>()

  constructor(server: PgServer, files: DataFiles) {
    this.server = server
    this.files = files
    this.process = new Process(server.around.scheduler, { wakesCode: false })
    this.startTime = new Date(EPOCH_MS + Math.floor(server.around.scheduler.now)).toISOString()
    this.inRecovery = files.standbySignal
    this.replayLsn = files.position.lsn
    this.receiver = new WalReceiver(this)
    this.commits = new CommitQueue(this)
  }

  begin(): void {
    const { around, disk } = this.server
    const { files } = this
    const clean = files.state === 'shut down' || files.state === 'shut down in recovery'
    const ms = duration(around, around.tempo.start) + (clean ? 0 : duration(around, around.tempo.crashRecovery))
    if (this.inRecovery) files.state = 'in archive recovery'
    else if (!clean) files.state = 'in crash recovery'
    disk.io(this.process, files.damaged ? 50 : ms, () => {
      if (this.phase !== 'starting') return
      if (files.damaged) return this.end()
      if (this.inRecovery) this.receiver.start()
      else this.#openAsPrimary()
      this.phase = 'ready'
      this.server.changed()
    })
  }

  /** Everything up to here is on the disk: standbys may have it, commits may be acknowledged. */
  advanceTo(end: Lsn): void {
    const { files } = this
    files.position = { branch: files.position.branch, lsn: end }
    files.position.branch.end = end
    this.replayLsn = end
    this.ship()
    this.commits.check()
  }

  ship(): void {
    for (const link of this.links.values()) link.pump()
  }

  promote(): void {
    this.process.deliver(() => {
      if (this.phase !== 'ready' || !this.inRecovery || this.#promoting) return
      this.#promoting = true
      this.receiver.stop()
      this.#finishPromotion(duration(this.server.around, this.server.around.tempo.promotion))
    })
  }

  stop(mode: StopMode): void {
    const { disk } = this.server
    this.process.after(2, () => {
      if (this.phase === 'ended') return
      if (mode === 'immediate') return this.end()
      if (this.phase === 'stopping') return
      const wasStarting = this.phase === 'starting'
      this.phase = 'stopping'
      disk.io(this.process, 20, () => this.#clientsGone(wasStarting))
    })
  }

  get clientsAreGone(): boolean {
    return this.phase === 'ended' || this.#clientsEnded
  }
  #clientsEnded = false

  checkpoint(then: () => void): void {
    const { around, disk } = this.server
    disk.io(this.process, duration(around, around.tempo.checkpoint), () => {
      if (this.phase !== 'ready') return
      if (!this.inRecovery) this.#writeCheckpoint()
      then()
    })
  }

  reload(): void {
    this.process.after(1, () => {
      if (this.phase === 'ended') return
      this.commits.ruleChanged()
      this.receiver.reconfigured()
    })
  }

  /** The end, whatever it was doing; its files stay as they are. */
  end(): void {
    if (this.phase === 'ended') return
    this.phase = 'ended'
    this.process.kill()
    this.commits.drop()
    this.receiver.stop()
    for (const link of this.links.values()) link.close()
    if (this.server.postmaster === this) this.server.postmaster = null
    this.server.changed()
  }

  #openAsPrimary(): void {
    const { files, server } = this
    const { branch, lsn: end } = files.position
    if (branch.owner !== server.host || branch.end !== end) {
      // Somebody else wrote on from here, or further than here, under the same number.
      const beside: Branch = {
        ...branch,
        owner: server.host,
        parent: branch,
        forkLsn: end,
        end,
        createdAt: server.around.scheduler.now,
      }
      files.position = { branch: beside, lsn: end }
      server.around.observer.branchCreated(beside, 'restart beside its timeline')
    }
    if (files.state === 'in crash recovery') this.#writeCheckpoint()
    files.state = 'in production'
  }

  #finishPromotion(ms: number): void {
    const { server, files } = this
    server.disk.io(this.process, ms, () => {
      if (this.phase !== 'ready') return
      if (server.promotionHangs) {
        this.process.after(500, () => this.#finishPromotion(0))
        return
      }
      const { branch: parent, lsn: end } = files.position
      const next = timeline(Math.max(files.newestTimeline, parent.timeline) + 1)
      const branch: Branch = {
        systemIdentifier: parent.systemIdentifier,
        timeline: next,
        owner: server.host,
        parent,
        forkLsn: end,
        end,
        createdAt: server.around.scheduler.now,
      }
      files.newestTimeline = next
      files.position = { branch, lsn: end }
      files.state = 'in production'
      files.standbySignal = false
      this.inRecovery = false
      server.around.observer.branchCreated(branch, 'promotion')
      for (const link of this.links.values()) link.close()
      this.advanceTo(lsn(end + END_OF_RECOVERY_BYTES))
      this.commits.opened()
      server.changed()
    })
  }

  #writeCheckpoint(): void {
    const { files } = this
    const start = lsn(Math.max(this.commits.insertLsn, files.position.lsn))
    const end = lsn(start + CHECKPOINT_BYTES)
    files.checkpoint = { start, end, timeline: files.position.branch.timeline }
    this.commits.insertLsn = end
    this.advanceTo(end)
  }

  #clientsGone(wasStarting: boolean): void {
    const { server, files } = this
    const { around } = server
    this.commits.drop()
    this.#clientsEnded = true
    server.changed()
    if (wasStarting && !this.inRecovery) return this.end()
    if (this.inRecovery) {
      this.receiver.stop()
      server.disk.io(this.process, 30, () => {
        files.state = 'shut down in recovery'
        this.end()
      })
      return
    }
    files.state = 'shutting down'
    server.disk.io(this.process, duration(around, around.tempo.checkpoint), () => {
      this.#writeCheckpoint()
      files.state = 'shut down'
      server.changed()
      this.#endWhenSent()
    })
  }

  /** Walsenders live until their standbys confirmed the shutdown checkpoint, or until their time-out. */
  #endWhenSent(): void {
    const open = [...this.links.values()].some((link) => link.flushLsn < this.files.position.lsn)
    if (!open) this.process.after(5, () => this.end())
    else this.process.after(20, () => this.#endWhenSent())
  }
}
