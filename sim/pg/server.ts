import type { DataFiles } from './data.ts'
import { Disk } from './disk.ts'
import { Postmaster } from './postmaster.ts'
import type { PgSurroundings } from './surroundings.ts'

/** PostgreSQL on one host: files, a disk, and at times a postmaster. It knows nothing of agents. */
export class PgServer {
  readonly host: string
  readonly disk = new Disk()
  files: DataFiles | null = null
  postmaster: Postmaster | null = null
  /** Fault: promotions never come to an end. */
  promotionHangs = false
  /** Fault: the pre_promote script takes so long, and says this. */
  prePromote = { ms: 1, passes: true }
  /** pg_rewind cannot be used: a copy takes its place. */
  canRewind = true
  /** Fault: the disk of the data directory is gone for a while; what is on it. */
  unmounted: { readonly files: DataFiles | null } | null = null
  /** Fault: replay lags behind by so much. */
  replayDelayMs = 0
  readonly around: PgSurroundings
  readonly #listeners = new Set<() => void>()
  #wasWritable = false

  constructor(host: string, around: PgSurroundings) {
    this.host = host
    this.around = around
    around.servers.set(host, this)
  }

  /** Takes writes of clients, or would if its disk and its process were not held. */
  get isWritable(): boolean {
    const { postmaster } = this
    return postmaster !== null && postmaster.phase === 'ready' && !postmaster.inRecovery
  }

  /** @returns false when there is nothing to start */
  launch(): boolean {
    if (this.postmaster !== null || this.files === null) return false
    this.postmaster = new Postmaster(this, this.files)
    this.postmaster.begin()
    this.changed()
    return true
  }

  /** SIGKILL to the postmaster and all its children. */
  kill(): void {
    this.postmaster?.end()
  }

  /** Tells whoever waits for something about this server. */
  changed(): void {
    if (this.#wasWritable !== this.isWritable) {
      this.#wasWritable = this.isWritable
      this.around.observer.writableChanged(this)
    }
    for (const listener of this.#listeners) listener()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
