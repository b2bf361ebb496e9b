import { localTimestamp } from '../cluster/timestamp.ts'
import type { Log } from '../ports/log.ts'
import { messageOf } from './errors.ts'
import { printSeconds } from './time-text.ts'

const LEVELS = { DEBUG: 10, INFO: 20, WARNING: 30, WARN: 30, ERROR: 40, CRITICAL: 50, FATAL: 50, NOTSET: 0 } as const

/** What of the log an operator wants to see: the last of three variables that is set; WARNING (spec ctl.md 1.4). */
export function logLevel(env: Readonly<Record<string, string | undefined>>): number {
  const name = env['PATRONI_LOG_LEVEL'] || env['PATRONI_LOGLEVEL'] || env['LOGLEVEL'] || 'WARNING'
  const known: Readonly<Record<string, number>> = LEVELS
  return known[name.toUpperCase()] ?? (/^\d+$/.test(name) ? Number(name) : LEVELS.WARNING)
}

/** Lines on standard error: `2030-05-01 10:14:36,139 - WARNING - message`. */
export function ctlLog(level: number, wallMs: () => number, writeError: (text: string) => void): Log {
  const line = (name: keyof typeof LEVELS, text: string): void => {
    if (LEVELS[name] < level) return
    const now = wallMs()
    const millis = Math.floor(localTimestamp(now).microsecond / 1000)
    writeError(`${printSeconds(now)},${String(millis).padStart(3, '0')} - ${name} - ${text}\n`)
  }
  return {
    debug: (text) => line('DEBUG', text),
    info: (text) => line('INFO', text),
    warning: (text) => line('WARNING', text),
    error: (text, cause) => line('ERROR', cause === undefined ? text : `${text}: ${messageOf(cause)}`),
    critical: (text) => line('CRITICAL', text),
  }
}
