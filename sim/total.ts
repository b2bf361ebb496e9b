import { Coverage, count } from './checks/coverage.ts'
import type { RunResult } from './run.ts'

/** What many seeds amount to. Results themselves are not kept: a long run has thousands. */
export class Total {
  readonly #faults = new Map<string, number>()
  readonly #traits = new Map<string, number>()
  readonly #coverage = new Coverage()
  #seeds = 0
  #simulatedMs = 0
  #timelines = 0
  #rows = 0
  #orders = 0

  add(result: RunResult): void {
    this.#seeds++
    this.#simulatedMs += result.simulatedMs
    this.#timelines += result.promotions
    this.#rows += result.rows
    this.#orders += result.orders
    for (const { kind } of result.faults) count(this.#faults, kind)
    for (const trait of result.traits) count(this.#traits, trait)
    this.#coverage.add(result.coverage)
  }

  summary(cpuMs: number): string {
    const faults = [...this.#faults.values()].reduce((sum, times) => sum + times, 0)
    const hours = (this.#simulatedMs / 3_600_000).toFixed(2)
    const headline =
      `\n${this.#seeds} seeds, ${hours} simulated hours in ${(cpuMs / 1000).toFixed(1)} s of processor time ` +
      `(${Math.round(this.#simulatedMs / cpuMs)} times faster), ${faults} faults, ${this.#timelines} timelines, ` +
      `${this.#rows} rows acknowledged`
    const orders = `  an operator had to say which copy of the data counts: ${this.#orders} times`
    return [headline, orders, ...table(this.#faults)].join('\n')
  }

  coverageTables(): string {
    const missing = this.#coverage.missing()
    return [
      'clusters:',
      ...table(this.#traits, 'by name'),
      'cycles by the rule that decided:',
      ...table(this.#coverage.rules),
      `rules that never decided: ${missing.length === 0 ? 'none' : missing.join(', ')}`,
      'steps of the journal:',
      ...table(this.#coverage.steps),
    ].join('\n')
  }
}

function table(counts: ReadonlyMap<string, number>, order: 'by number' | 'by name' = 'by number'): string[] {
  const rows = [...counts].sort(([a, x], [b, y]) => (order === 'by number' ? y - x : 0) || (a < b ? -1 : 1))
  return rows.map(([what, times]) => `  ${String(times).padStart(8)} ${what}`)
}
