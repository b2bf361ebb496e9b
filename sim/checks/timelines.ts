import type { Branch } from '../pg/wal.ts'
import type { Exemptions } from './exemptions.ts'
import type { Violations } from './violations.ts'

/** Each promotion gets a number of its own: two histories with one number cannot be told apart by PostgreSQL. */
export class Timelines {
  readonly #violations: Violations
  readonly #exemptions: Exemptions
  readonly #used = new Map<string, Branch>()
  promotions = 0

  constructor(violations: Violations, exemptions: Exemptions) {
    this.#violations = violations
    this.#exemptions = exemptions
  }

  /**
   * The cluster is whole again after somebody took it back to an older state: timelines begun since then are nobody's
   * any more, and their numbers are free.
   */
  settle(tip: Branch): void {
    const kept = new Set<Branch>()
    for (let at: Branch | null = tip; at !== null; at = at.parent) kept.add(at)
    for (const [key, branch] of this.#used) if (!kept.has(branch)) this.#used.delete(key)
  }

  created(branch: Branch): void {
    this.promotions++
    const key = `${branch.systemIdentifier}/${branch.timeline}`
    const other = this.#used.get(key)
    this.#used.set(key, branch)
    if (other && !this.#exemptions.allows('timeline twice'))
      this.#violations.report(
        'no timeline twice',
        `timeline ${branch.timeline} of ${branch.owner} was used by ${other.owner} before`,
      )
  }
}
