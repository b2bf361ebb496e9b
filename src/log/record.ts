import type { LevelName } from './levels.ts'

/** One thing that was told. */
export interface LogRecord {
  readonly wallMs: number
  readonly level: LevelName
  /** Dotted name of the component, `patroni.ha`. */
  readonly name: string
  readonly message: string
  /** Stack trace to print below the message. */
  readonly trace: string | null
  /** Where in the program; known only when the format asks for it. */
  readonly place: Place | null
}

export interface Place {
  readonly path: string
  readonly line: number
  readonly functionName: string
}

/** Records of one line of work keep their order to each other: heartbeat suppression looks at neighbours (13.5). */
export function threadOf(name: string): string {
  return /^patroni\.(api|dcs)(\.|$)/.exec(name)?.[1] ?? 'MainThread'
}
