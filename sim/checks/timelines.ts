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
