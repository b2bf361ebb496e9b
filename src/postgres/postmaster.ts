import type { ChildProcess } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { basename } from 'node:path'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Binaries, ConfigSource } from './parts.ts'
import { type PostmasterFile, readPostmasterFile } from './postmaster-file.ts'
import { judgePostmaster } from './postmaster-identity.ts'
import {
  children,
  identityText,
  isSameProcessAlive,
  type ProcessIdentity,
  type ProcessTable,
  signalProcess,
} from './process-table.ts'
import { type WatchedProcess, watchProcess } from './watched-process.ts'

/** A living postmaster of our data directory. */
export interface Postmaster extends ProcessIdentity {
  /** It runs in single-user mode: it cannot be stopped by signals. */
  readonly singleUser: boolean
}

export interface PostmasterWatch {
  /** Looks now. Costs some microseconds. */
  current(): Postmaster | null
  /** A postmaster just started by us: known before it has written its file, its end is told by the kernel. */
  adopt(child: ChildProcess): Postmaster | null
  /** Something hints that it may have ended: look now, and again within the next moment. */
  suspect(): void
  /** Called once for each postmaster that was seen alive and is not any more. */
  onEnded(listener: () => void): void
  /** @returns whether it ended before the signal aborted */
  waitForEnd(postmaster: Postmaster, signal: AbortSignal): Promise<boolean>
  /**
   * The process that the file names where it is not our living postmaster: one that got its number, or what is left of
   * it until its parent has taken note of its end. PostgreSQL would take either for a running server.
   */
  foreignPid(): number | null
  /** Its file, if it is of this postmaster. */
  file(): PostmasterFile | null
  /** Kills the processes that a killed postmaster left behind, and waits a moment for their end. */
  endOrphans(): Promise<void>
  /**
   * Looks again and again until the signal aborts.
   * @param connected whether a connection stands whose end would tell: then this is only the backstop
   */
  keepLooking(connected: () => boolean, signal: AbortSignal): Promise<void>
}

/** Where no event tells the end, it is found after this. */
const LOOK_MS = 1000
/** Every look costs the agent a wake-up. */
const BACKSTOP_MS = 10_000
/** A killed process ends at once unless it waits for its disk. */
const ORPHAN_LIMIT_MS = 5000
/** Backends and sockets may end some milliseconds before the postmaster that dies with them. */
const SUSPICION_MS = [0, 5, 15, 30, 50, 100, 200, 400] as const

/** Postmasters that this process launched, however many adapters it has made since: children of ours that are no strangers. */
const launchedHere = new Set<string>()

interface Known {
  readonly postmaster: Postmaster
  readonly child: ChildProcess | null
  readonly watched: WatchedProcess
}

function hasExited(child: ChildProcess | null): boolean {
  return child !== null && (child.exitCode !== null || child.signalCode !== null)
}

export function postmasterWatch(
  config: ConfigSource,
  binaries: Binaries,
  table: ProcessTable,
  clock: Clock,
  log: Log,
): PostmasterWatch {
  let known: Known | null = null
  let warnedOf: number | null = null
  let suspicious = false
  const listeners: (() => void)[] = []

  function know(postmaster: Postmaster, child: ChildProcess | null): void {
    known?.watched.close()
    known = { postmaster, child, watched: watchProcess(table, postmaster) }
  }

  function current(): Postmaster | null {
    if (known && !hasExited(known.child) && known.watched.isAlive()) return known.postmaster
    if (known) ended()
    const found = find()
    if (found) know(found, null)
    return found
  }

  function ended(): void {
    known?.watched.close()
    known = null
    queueMicrotask(() => {
      for (const listener of listeners) listener()
    })
  }

  function find(): Postmaster | null {
    const judged = judge()
    return judged && judged.verdict !== 'foreign' ? judged.postmaster : null
  }

  function judge(): { readonly postmaster: Postmaster; readonly verdict: 'ours' | 'unsure' | 'foreign' } | null {
    const file = readPostmasterFile(config().postgresql.dataDir)
    if (!file) return null
    const stat = table.stat(Math.abs(file.pid))
    if (!stat || !isSameProcessAlive(table, stat)) return null
    const verdict = judgePostmaster(
      file,
      {
        ...stat,
        parent: launchedHere.has(identityText(stat)) ? 1 : stat.parent,
        startedAt: table.startedAt(stat),
        executable: table.executable(stat.pid),
        workingDirectory: table.workingDirectory(stat.pid),
      },
      {
        agentPid: process.pid,
        agentParent: process.ppid,
        binaryName: basename(binaries.path('postgres')),
        dataDir: realDataDir(),
      },
    )
    if (verdict === 'unsure' && warnedOf !== stat.pid) {
      warnedOf = stat.pid
      log.warning(`Process ${stat.pid} is taken for our postmaster although its working directory cannot be read`)
    }
    return { postmaster: { pid: stat.pid, startTicks: stat.startTicks, singleUser: file.pid < 0 }, verdict }
  }

  function realDataDir(): string {
    const { dataDir } = config().postgresql
    try {
      return realpathSync(dataDir)
    } catch {
      return dataDir
    }
  }

  async function lookAgain(): Promise<void> {
    const never = new AbortController().signal
    for (const waitMs of SUSPICION_MS) {
      await clock.sleep(waitMs, never)
      if (known === null || current() === null) break
    }
    suspicious = false
  }

  return {
    current,
    adopt(child) {
      const stat = child.pid === undefined ? null : table.stat(child.pid)
      if (!stat) return null
      const postmaster = { pid: stat.pid, startTicks: stat.startTicks, singleUser: false }
      know(postmaster, child)
      launchedHere.add(identityText(postmaster))
      child.once('exit', () => {
        launchedHere.delete(identityText(postmaster))
        if (known?.child === child) ended()
      })
      return postmaster
    },
    suspect() {
      if (suspicious || known === null) return
      suspicious = true
      void lookAgain()
    },
    onEnded(listener) {
      listeners.push(listener)
    },
    async waitForEnd(postmaster, signal) {
      const child = known?.postmaster === postmaster ? known.child : null
      // The kernel tells the end of a child; a postmaster found running has to be looked at.
      const told = child ? new Promise((resolve) => child.once('exit', resolve)) : null
      const startedAt = clock.now()
      while (!hasExited(child) && isSameProcessAlive(table, postmaster)) {
        if (signal.aborted) return false
        const pollMs = clock.now() - startedAt < 5000 ? 20 : 100
        await (told ? Promise.race([told, clock.sleep(500, signal)]) : clock.sleep(pollMs, signal))
      }
      current()
      return true
    },
    foreignPid() {
      const file = readPostmasterFile(config().postgresql.dataDir)
      const pid = file && Math.abs(file.pid)
      return pid !== null && table.stat(pid) !== null && find() === null ? pid : null
    },
    file() {
      const file = readPostmasterFile(config().postgresql.dataDir)
      return file && known && Math.abs(file.pid) === known.postmaster.pid ? file : null
    },
    async endOrphans() {
      const found = orphans(table, realDataDir(), basename(binaries.path('postgres')))
      for (const { pid } of found) {
        log.warning(`Killing process ${pid} that the ended postmaster left behind: ${table.title(pid) ?? ''}`)
        signalProcess(pid, 'SIGKILL')
      }
      const since = clock.now()
      while (found.some((one) => isSameProcessAlive(table, one)) && clock.now() - since < ORPHAN_LIMIT_MS)
        await clock.sleep(10, new AbortController().signal)
    },
    async keepLooking(connected, signal) {
      while (!signal.aborted) {
        const told = known === null || known.child !== null || connected()
        await clock.sleep(told ? BACKSTOP_MS : LOOK_MS, signal)
        if (known) current()
      }
    },
  }
}

/**
 * Backends of this data directory whose postmaster is gone. They still could write and answer their clients, and no new
 * server starts while they are attached to the old one's memory. The logger is spared: it ends when all others did.
 * A process below a living server, known to us or not, is nobody's orphan.
 */
function orphans(table: ProcessTable, dataDir: string, binaryName: string): readonly ProcessIdentity[] {
  const isServerProcess = (pid: number): boolean => {
    const executable = table.executable(pid)
    return (
      executable !== null &&
      [binaryName, 'postmaster'].includes(basename(executable)) &&
      table.workingDirectory(pid) === dataDir
    )
  }
  const found: ProcessIdentity[] = []
  for (const pid of table.pids()) {
    const title = pid === process.pid ? null : table.title(pid)
    if (!title?.startsWith('postgres: ') || /^postgres: (?:.*: )?logger$/.test(title)) continue
    const stat = isServerProcess(pid) ? table.stat(pid) : null
    if (stat && !isServerProcess(stat.parent)) found.push(stat)
  }
  return found
}

/** User sessions, replication not counted: who could still write (spec postgres.md 1.7 step 8). */
export function userBackends(table: ProcessTable, postmaster: Postmaster): readonly ProcessIdentity[] {
  return children(table, postmaster.pid).filter((one) => isUserBackend(table.title(one.pid) ?? ''))
}

const AUXILIARY = [
  'archiver',
  'startup',
  'autovacuum launcher',
  'autovacuum worker',
  'checkpointer',
  'logger',
  'stats collector',
  'wal receiver',
  'wal writer',
  'writer',
].map((name) => `${name}(?: process  )?`)
const OTHERS = [
  'syslogger',
  'walreceiver',
  'wal sender process',
  'walsender',
  'walwriter',
  'background writer',
  'logical replication launcher',
  'logical replication (?:worker|tablesync worker|parallel apply worker|apply worker) for subscription',
  'datachecksums launcher',
  'datachecksums worker',
  'slotsync worker',
  'walsummarizer',
  'io worker',
  'bgworker:',
]
const NOT_A_USER = new RegExp(`^postgres:(?: .+:)? (?:${[...AUXILIARY, ...OTHERS].join('|')})(?: |$)`)

export function isUserBackend(title: string): boolean {
  return title !== '' && !NOT_A_USER.test(title)
}
