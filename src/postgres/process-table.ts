import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** A process, told apart from a later one with the same number by the moment the kernel started it. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot, as the kernel counts them. */
  readonly startTicks: number
}

/** A text that two processes never share within one boot. */
export function identityText({ pid, startTicks }: ProcessIdentity): string {
  return `${pid}@${startTicks}`
}

export interface ProcessStat extends ProcessIdentity {
  readonly parent: number
  /** One letter: R, S, D, T, Z, … */
  readonly state: string
}

/** What the kernel tells about processes. Every question may be answered `null`: gone meanwhile, or not permitted. */
export interface ProcessTable {
  stat(pid: number): ProcessStat | null
  pids(): readonly number[]
  executable(pid: number): string | null
  workingDirectory(pid: number): string | null
  /** Command line, arguments separated by blanks: what `ps` shows. */
  title(pid: number): string | null
  /** Seconds since 1970 at which the process started; `null` where that cannot be known. */
  startedAt(stat: ProcessStat): number | null
}

/** USER_HZ: what /proc counts in, 100 on every Linux that Node runs on, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100

/** Reads /proc. Synchronous on purpose: a few microseconds each, and the answer must not age between two questions. */
export function linuxProcessTable(root = '/proc'): ProcessTable {
  const read = (path: string): string | null => attempt(() => readFileSync(`${root}/${path}`, 'utf8'))
  const link = (path: string): string | null =>
    attempt(() => readlinkSync(`${root}/${path}`))?.replace(/ \(deleted\)$/, '') ?? null
  let bootTime: number | null | undefined
  return {
    stat(pid) {
      const text = read(`${pid}/stat`)
      return text === null ? null : parseStat(text)
    },
    pids() {
      return (attempt(() => readdirSync(root)) ?? []).filter((name) => /^\d+$/.test(name)).map(Number)
    },
    executable: (pid) => link(`${pid}/exe`),
    workingDirectory: (pid) => link(`${pid}/cwd`),
    title: (pid) => read(`${pid}/cmdline`)?.replaceAll('\0', ' ').trimEnd() ?? null,
    startedAt(stat) {
      bootTime ??= Number(/^btime (\d+)$/m.exec(read('stat') ?? '')?.[1] ?? Number.NaN)
      return Number.isFinite(bootTime) ? bootTime + stat.startTicks / TICKS_PER_SECOND : null
    },
  }
}

function attempt<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null // The process ended while we looked, or belongs to somebody else.
  }
}

/** Reads `/proc/<pid>/stat`. The name, in parentheses, may itself hold blanks and parentheses. */
export function parseStat(text: string): ProcessStat | null {
  const end = text.lastIndexOf(')')
  const pid = Number.parseInt(text, 10)
  const fields = text.slice(end + 2).split(' ')
  const parent = Number(fields[1])
  const startTicks = Number(fields[19])
  if (end < 0 || !Number.isInteger(pid) || !Number.isInteger(parent) || !Number.isInteger(startTicks)) return null
  return { pid, parent, startTicks, state: fields[0] ?? '?' }
}

/** Whether exactly this process still runs. A zombie does not: it only waits to be counted by its parent. */
export function isSameProcessAlive(table: ProcessTable, one: ProcessIdentity): boolean {
  const stat = table.stat(one.pid)
  return stat !== null && stat.startTicks === one.startTicks && !isDead(stat)
}

export function isDead({ state }: Pick<ProcessStat, 'state'>): boolean {
  return state === 'Z' || state === 'X'
}

/** All living descendants of `ancestor`, parents before their children. */
export function descendants(table: ProcessTable, ancestor: number): readonly ProcessStat[] {
  const byParent = new Map<number, ProcessStat[]>()
  for (const pid of table.pids()) {
    const stat = table.stat(pid)
    if (stat === null || isDead(stat)) continue
    const siblings = byParent.get(stat.parent)
    if (siblings) siblings.push(stat)
    else byParent.set(stat.parent, [stat])
  }
  const found: ProcessStat[] = []
  const queue = [ancestor]
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift())
    for (const child of byParent.get(pid) ?? []) {
      found.push(child)
      queue.push(child.pid)
    }
  return found
}

export function children(table: ProcessTable, parent: number): readonly ProcessStat[] {
  const found: ProcessStat[] = []
  for (const pid of table.pids()) {
    const stat = table.stat(pid)
    if (stat !== null && stat.parent === parent && !isDead(stat)) found.push(stat)
  }
  return found
}

/** Sends a signal. @returns `gone` where no such process exists, `forbidden` where it is not ours to signal. */
export function signalProcess(pid: number, signal: NodeJS.Signals): 'sent' | 'gone' | 'forbidden' {
  try {
    process.kill(pid, signal)
    return 'sent'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'forbidden' : 'gone'
  }
}

/**
 * Kills a process and everything below it. It is suspended first, so that it starts no more children while they are
 * counted; it dies before them, so that it cannot react to their end.
 */
export function killTree(table: ProcessTable, root: ProcessIdentity): void {
  if (!isSameProcessAlive(table, root)) return
  signalProcess(root.pid, 'SIGSTOP')
  const below = descendants(table, root.pid)
  signalProcess(root.pid, 'SIGKILL')
  for (const one of below) if (isSameProcessAlive(table, one)) signalProcess(one.pid, 'SIGKILL')
}
