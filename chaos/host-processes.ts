import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { signalAll } from '../lab/processes.ts'

/** Everything that runs on a host: what is in its network namespace, whoever started it. */
export function processesOn(namespace: string): readonly number[] {
  const { ino } = statSync(`/run/netns/${namespace}`)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isIn(name, ino))
    .map(Number)
}

function isIn(pid: string, inode: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) === `net:[${inode}]`
  } catch {
    // It has ended.
    return false
  }
}

/** More than once: a process may start another one while we look. */
export function signalHost(namespace: string, signal: NodeJS.Signals): void {
  const reached = new Set<number>()
  for (let pass = 0; pass < 5; pass += 1) {
    const fresh = processesOn(namespace).filter((pid) => !reached.has(pid))
    if (fresh.length === 0) return
    signalAll(fresh, signal)
    for (const pid of fresh) reached.add(pid)
  }
}
