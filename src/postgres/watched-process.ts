import { closeSync, openSync, readSync } from 'node:fs'
import { isDead, isSameProcessAlive, type ProcessIdentity, type ProcessTable, parseStat } from './process-table.ts'

/** The longest line of /proc/PID/stat: a name, and fifty numbers of up to twenty digits. */
const LINE_BYTES = 1200

/** One process that is asked after again and again. */
export interface WatchedProcess {
  isAlive(): boolean
  /** Nothing is kept open any more. */
  close(): void
}

/**
 * Keeps the kernel's record of the process open, so that a question is one read instead of a file opened, read, closed and
 * taken apart. The open file is of this very process: a later one with its number is never found in it (ESRCH, proc(5)).
 * Where it cannot be opened or read, the table is asked.
 */
export function watchProcess(table: ProcessTable, one: ProcessIdentity, root = '/proc'): WatchedProcess {
  const line = Buffer.alloc(LINE_BYTES)
  let file = open(`${root}/${one.pid}/stat`)
  if (file !== null && parseStat(read(file) ?? '')?.startTicks !== one.startTicks) close()

  function read(from: number): string | null {
    try {
      return line.toString('latin1', 0, readSync(from, line, 0, LINE_BYTES, 0))
    } catch {
      return null
    }
  }

  function close(): void {
    if (file !== null) closeSync(file)
    file = null
  }

  return {
    isAlive() {
      const now = file === null ? null : read(file)
      if (now === null) return isSameProcessAlive(table, one)
      return !isDead({ state: now[now.lastIndexOf(')') + 2] ?? '?' })
    },
    close,
  }
}

function open(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch {
    return null
  }
}
