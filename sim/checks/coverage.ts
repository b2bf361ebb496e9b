import { RULES, type RuleId } from '../../src/ha/messages.ts'
import type { CycleRecord, JournalEntry } from '../../src/ports/journal.ts'

/** What the code under test was brought to do: how often each rule ended a cycle, and each step of the journal. */
export class Coverage {
  readonly rules = new Map<string, number>()
  readonly steps = new Map<string, number>()

  cycle({ rule }: Pick<CycleRecord, 'rule'>): void {
    count(this.rules, rule)
  }

  step({ kind, what }: JournalEntry): void {
    if (kind !== 'asked' && kind !== 'considered') count(this.steps, `${kind} ${what}`)
  }

  add(other: Coverage): void {
    for (const [rule, times] of other.rules) count(this.rules, rule, times)
    for (const [step, times] of other.steps) count(this.steps, step, times)
  }

  /** Rules that never decided. */
  missing(): readonly RuleId[] {
    return RULES.filter((rule) => !this.rules.has(rule))
  }
}

export function count(counts: Map<string, number>, what: string, times = 1): void {
  counts.set(what, (counts.get(what) ?? 0) + times)
}
