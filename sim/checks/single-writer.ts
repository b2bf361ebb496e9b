import type { PgServer } from '../pg/server.ts'
import type { Branch } from '../pg/wal.ts'
import type { Exemptions } from './exemptions.ts'
import type { Violations } from './violations.ts'

/** At no moment do two servers take writes of clients. */
export class SingleWriter {
  readonly #servers: ReadonlyMap<string, PgServer>
  readonly #violations: Violations
  readonly #exemptions: Exemptions

  constructor(servers: ReadonlyMap<string, PgServer>, violations: Violations, exemptions: Exemptions) {
    this.#servers = servers
    this.#violations = violations
    this.#exemptions = exemptions
  }

  /** A server that is frozen takes nothing; when it thaws it is looked at again. */
  writers(): PgServer[] {
    return [...this.#servers.values()].filter((server) => server.isWritable && server.postmaster?.process.isRunning)
  }

  /**
   * Whether two writers are what an operator has brought about, and another one has begun a newer timeline than this. Then
   * nobody keeps what the older one still acknowledges: there is a guarantee for one writer only.
   */
  isOutrun({ timeline }: Branch): boolean {
    if (!this.#exemptions.allows('two writers')) return false
    return this.writers().some(({ files }) => files !== null && files.position.branch.timeline > timeline)
  }

  check(): void {
    const writers = this.writers()
    if (writers.length < 2 || this.#exemptions.allows('two writers')) return
    this.#violations.report('one writable primary', `${writers.map(({ host }) => host).join(' and ')} take writes`)
  }
}
