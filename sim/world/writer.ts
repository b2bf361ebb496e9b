import type { Durability } from '../checks/durability.ts'
import type { SingleWriter } from '../checks/single-writer.ts'
import type { Rng } from '../engine/random.ts'
import type { Scheduler } from '../engine/scheduler.ts'
import type { PgServer } from '../pg/server.ts'

/** Clients that commit rows on every server that takes them, and remember what was acknowledged. */
export class Writer {
  readonly #scheduler: Scheduler
  readonly #rng: Rng
  readonly #servers: ReadonlyMap<string, PgServer>
  readonly #durability: Durability
  readonly #singleWriter: SingleWriter
  readonly #everyMs: number
  #rowBytes: number
  /** When a row was last acknowledged, and the longest time without. */
  lastAckAt = 0
  longestOutageMs = 0

  constructor(
    scheduler: Scheduler,
    rng: Rng,
    servers: ReadonlyMap<string, PgServer>,
    checks: { readonly durability: Durability; readonly singleWriter: SingleWriter },
    load: { readonly everyMs: number; readonly rowBytes: number },
  ) {
    this.#scheduler = scheduler
    this.#rng = rng
    this.#servers = servers
    this.#durability = checks.durability
    this.#singleWriter = checks.singleWriter
    this.#everyMs = load.everyMs
    this.#rowBytes = load.rowBytes
  }

  start(): void {
    this.#scheduler.after(this.#everyMs * this.#rng.between(0.5, 1.5), () => {
      for (const server of this.#servers.values()) this.write(server)
      this.start()
    })
  }

  write(server: PgServer, bytes = Math.ceil(this.#rowBytes * this.#rng.between(0.5, 1.5))): void {
    const { postmaster } = server
    if (!postmaster || !server.isWritable || !postmaster.process.isRunning) return
    const { branch } = postmaster.files.position
    postmaster.commits.commit(bytes, (end) => {
      if (!this.#singleWriter.isOutrun(branch)) this.#durability.acknowledged(branch, end)
      const { now } = this.#scheduler
      if (this.lastAckAt > 0) this.longestOutageMs = Math.max(this.longestOutageMs, now - this.lastAckAt)
      this.lastAckAt = now
    })
  }
}
