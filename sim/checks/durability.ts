import type { Lsn } from '../../src/cluster/lsn.ts'
import type { PgServer } from '../pg/server.ts'
import { type Branch, sharedUpTo } from '../pg/wal.ts'
import type { Exemptions } from './exemptions.ts'
import type { Violations } from './violations.ts'

export interface LossRule {
  /** Synchronous or quorum mode: nothing may be lost. */
  readonly lossless: boolean
  readonly maximumLagBytes: number
  /** The leader's last published position. */
  readonly publishedLsn: Lsn
}

/**
 * Clients remember what was acknowledged to them. Whoever opens for writes must have it all. Per branch of WAL the
 * last acknowledged position says everything, since a history that holds it holds all before it.
 */
export class Durability {
  readonly #violations: Violations
  readonly #exemptions: Exemptions
  readonly #rule: () => LossRule
  readonly #acknowledged = new Map<Branch, Lsn>()
  rows = 0
  lostBytes = 0

  constructor(violations: Violations, exemptions: Exemptions, rule: () => LossRule) {
    this.#violations = violations
    this.#exemptions = exemptions
    this.#rule = rule
  }

  acknowledged(branch: Branch, end: Lsn): void {
    this.rows++
    const last = this.#acknowledged.get(branch)
    if (last === undefined || last < end) this.#acknowledged.set(branch, end)
  }

  /** This server takes writes from now on. */
  opened(server: PgServer): void {
    if (!server.files) return
    const { position } = server.files
    for (const [branch, end] of this.#acknowledged) {
      if (branch === position.branch) continue
      if (branch.systemIdentifier !== position.branch.systemIdentifier) {
        this.#acknowledged.delete(branch)
        if (!this.#exemptions.allows('two clusters'))
          this.#violations.report('one cluster', `${server.host} opens another cluster although rows were written`)
        continue
      }
      const kept = sharedUpTo(position, branch) ?? branch.forkLsn
      if (kept >= end) continue
      // What this server does not have is gone from now on, and is accounted for once.
      this.#acknowledged.set(branch, kept)
      this.#lost(server, branch, kept, end)
    }
  }

  /** The cluster is whole: everybody has what this server has, and old timelines need no more watching. */
  settle(server: PgServer): void {
    this.opened(server)
    for (const branch of this.#acknowledged.keys())
      if (branch !== server.files?.position.branch) this.#acknowledged.delete(branch)
  }

  #lost(server: PgServer, branch: Branch, kept: Lsn, end: Lsn): void {
    this.lostBytes += end - kept
    if (this.#exemptions.allows('lost rows')) return
    const { lossless, maximumLagBytes, publishedLsn } = this.#rule()
    const what = `${server.host} opens without ${end - kept} bytes acknowledged on timeline ${branch.timeline} of ${branch.owner}`
    if (lossless) this.#violations.report('no acknowledged row lost', what)
    else if (kept + maximumLagBytes < Math.min(publishedLsn, end))
      this.#violations.report('loss is bounded', `${what}, more than maximum_lag_on_failover behind ${publishedLsn}`)
  }
}
