import { later } from '../../src/cluster/time.ts'
import type { Budget } from '../../src/ports/clock.ts'
import type { Log } from '../../src/ports/log.ts'
import { systemClock } from '../../src/system/clock.ts'

export { freePorts } from '../../lab/ports.ts'
export { systemClock } from '../../src/system/clock.ts'
export { systemRandom } from '../../src/system/random.ts'

/** On the real clock. The timer keeps no test waiting. */
export function budget(ms: number): Budget {
  return { deadline: later(systemClock.now(), ms), signal: AbortSignal.timeout(ms) }
}

/** Keeps every line, so that a test can look for what an operator would see. */
export class LogBook implements Log {
  readonly lines: string[] = []

  debug(text: string): void {
    this.lines.push(`debug: ${text}`)
  }

  info(text: string): void {
    this.lines.push(`info: ${text}`)
  }

  warning(text: string): void {
    this.lines.push(`warning: ${text}`)
  }

  error(text: string): void {
    this.lines.push(`error: ${text}`)
  }

  critical(text: string): void {
    this.lines.push(`critical: ${text}`)
  }

  has(part: string): boolean {
    return this.lines.some((line) => line.includes(part))
  }
}
