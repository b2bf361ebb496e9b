import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { giveTo, type ServerUser } from './server-user.ts'

export interface ProgramOptions {
  /** What the program writes goes to the end of this file. */
  readonly logFile: string
  readonly cwd: string
  readonly user: ServerUser | null
  readonly env?: Readonly<Record<string, string>>
  /** The network namespace to run in; needs root. */
  readonly namespace?: string | null
}

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
}

/** A program that was started, in a session of its own so that Ctrl-C in the terminal reaches only us. */
export interface Program {
  readonly pid: number
  /** `null` while it runs. */
  readonly exit: () => Exit | null
  readonly ended: Promise<Exit>
  /** Does nothing when it has ended. */
  readonly signal: (signal: NodeJS.Signals) => void
}

/** @throws when the program cannot be started */
export async function startProgram(argv: readonly string[], options: ProgramOptions): Promise<Program> {
  const { namespace = null, user } = options
  const [command = '', ...args] = namespace === null ? argv : [...enter(namespace, options), ...argv]
  const log = openSync(options.logFile, 'a')
  giveTo(options.user, options.logFile)
  const child = spawn(command, args, {
    cwd: options.cwd,
    detached: true,
    stdio: ['ignore', log, log],
    env: cleanEnvironment(namespace === null ? options.env : {}),
    ...(user && namespace === null ? { uid: user.uid, gid: user.gid } : {}),
  })
  closeSync(log)
  let exit: Exit | null = null
  const ended = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = { code, signal }
      resolve(exit)
    })
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error) => reject(new Error(`cannot start ${command}: ${error.message}`)))
  })
  const pid = child.pid ?? 0
  return {
    pid,
    exit: () => exit,
    ended,
    signal: (signal) => {
      if (exit === null) signalAll([pid], signal)
    },
  }
}

/**
 * Only root may enter a namespace, so the user is changed afterwards, and what is meant for the program (a library to
 * preload) set last. Each of these commands replaces itself: the pid stays.
 */
function enter(namespace: string, { user, env = {} }: ProgramOptions): readonly string[] {
  const become = user ? ['-S', String(user.uid), '-G', String(user.gid)] : []
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  return ['nsenter', `--net=/run/netns/${namespace}`, ...become, '--', 'env', ...settings]
}

/** Nothing of the caller's own PostgreSQL or agent settings may reach the servers. */
function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(PATRONI|PG|ETCD|NODE_TEST|NODE_OPTIONS)/.test(name))
  return { ...Object.fromEntries(own), LC_ALL: 'C.UTF-8', ...extra }
}

/** A process and everything below it, parents first. */
export function processTree(pid: number): readonly number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = parentOf(Number(name))
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const tree = [pid]
  for (const member of tree) tree.push(...(children.get(member) ?? []))
  return tree
}

function parentOf(pid: number): number | null {
  try {
    return Number(statFields(`/proc/${pid}/stat`)[1])
  } catch {
    return null
  }
}

/** Whether SIGSTOP has reached every thread: it takes effect only when one of them gets the processor. */
export function isStopped(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.every((id) => statFields(`/proc/${pid}/task/${id}/stat`)[0] === 'T')
}

/** Of a process or a thread, from its state on: the name before it may itself hold blanks and parentheses. */
function statFields(file: string): readonly string[] {
  const stat = readFileSync(file, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** What a process calls itself, as `ps` shows it; empty for one that has ended. */
export function processTitle(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

/** Passes over processes that have ended. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** Whether this process works in that directory: a number alone may meanwhile belong to somebody else. */
export function worksIn(pid: number, directory: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === directory
  } catch {
    return false
  }
}

export interface ResourceUse {
  readonly cpuMs: number
  readonly pssKb: number
  readonly rssKb: number
  readonly anonymousKb: number
}

/** What a process has used of the processor so far and of the memory now; zeros for one that has ended. */
export function resourceUse(pid: number): ResourceUse {
  try {
    const fields = statFields(`/proc/${pid}/stat`)
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    const kb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0)
    const ticks = Number(fields[11]) + Number(fields[12])
    return { cpuMs: ticks * TICK_MS, pssKb: kb('Pss'), rssKb: kb('Rss'), anonymousKb: kb('Anonymous') }
  } catch {
    return { cpuMs: 0, pssKb: 0, rssKb: 0, anonymousKb: 0 }
  }
}

/** The unit of processor time in /proc: 100 a second on every Linux that people run. */
const TICK_MS = 10
