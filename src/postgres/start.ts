import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { isStarting, type Role } from '../cluster/instance.ts'
import { elapsedMs, type Instant } from '../cluster/time.ts'
import type { MayLaunch, StartOutcome } from '../ports/postgres.ts'
import { withBudget } from './budget.ts'
import { roleOfDataDirectory } from './directory-facts.ts'
import { serverEnvironment } from './environment.ts'
import { errorText } from './files.ts'
import type { Machine } from './machine.ts'
import type { ServerStart } from './parts.ts'
import { forgetPassedTimelines } from './passed-timelines.ts'
import type { Postmaster } from './postmaster.ts'
import { signalProcess } from './process-table.ts'
import { forgetPromotion } from './promotion-note.ts'
import { askReadiness } from './readiness.ts'

/** What one start, or the start half of a restart, has come to. Whoever holds it may still prevent the launch. */
export interface Launch {
  cancelled: boolean
  postmaster: Postmaster | null
}

export function newLaunch(): Launch {
  return { cancelled: false, postmaster: null }
}

/** The file is read so often while a server comes up; later less, a long recovery needs no haste. */
const POLL_MS = 20
const POLL_LATER_MS = 100
const HASTE_MS = 10_000
const READINESS_LIMIT_MS = 1000
/** In `postmaster.pid`. A server that starts its processes anew after a crash of one of them leaves `ready` there. */
const NOT_YET: readonly string[] = ['starting', 'standby']

/** A callback that is owed when the server accepts connections; `silent`: something else tells it. */
export type PendingCallback = 'on_start' | 'on_restart' | 'silent' | null

export interface Startup {
  /** Owed by the start that is on its way. */
  pending: PendingCallback
  /** Called at each change to `running`. */
  readonly onRunning: (() => void)[]
}

/**
 * Starts PostgreSQL as its own session leader that outlives this agent (spec postgres.md 1.5). It is our child as long
 * as we live, so that the kernel tells us its end and its exit code; the rule that a child of ours is never the
 * postmaster (1.3) holds for all children but this one.
 * @param launched called when the process exists
 */
export async function startServer(
  machine: Machine,
  startup: Startup,
  request: ServerStart & { readonly launched?: () => void },
  launch: Launch,
  signal: AbortSignal,
): Promise<StartOutcome> {
  const { clock, log, memory, postmaster, connections } = machine
  connections.close()
  if (postmaster.current()) {
    log.error('Cannot start PostgreSQL because one is already running.')
    memory.setState('starting')
    await resolveStarting(machine, startup, signal)
    return isStarting(memory.state) ? 'starting' : 'running'
  }
  if (request.callback) startup.pending = 'on_start'
  else startup.pending ??= 'silent'
  const role = request.role ?? (await startRole(machine))
  memory.setRole(role)
  memory.setState(request.customBootstrap ? 'starting after custom bootstrap' : 'starting')

  const since = clock.now()
  const postmasterStarted = await launchServer(machine, role, launch, request.mayLaunch, signal)
  if (!postmasterStarted) {
    if (isStarting(memory.state)) memory.setState('start failed')
    return 'failed'
  }
  request.launched?.()
  return waitUntilRunning(machine, startup, request.timeoutMs, { since, launch, signal })
}

/** Without a role given it is what the recovery files say; a standby leader stays one. */
async function startRole(machine: Machine): Promise<Role> {
  const found = await roleOfDataDirectory(machine.config().postgresql.dataDir)
  return found === 'replica' && machine.memory.role === 'standby_leader' ? 'standby_leader' : found
}

async function launchServer(
  machine: Machine,
  role: Role,
  launch: Launch,
  mayLaunch: MayLaunch | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const { config, log, binaries, postmaster, files, connections } = machine
  let plan: Awaited<ReturnType<typeof files.prepareStart>>
  try {
    const { dataDir } = config().postgresql
    await forgetPassedTimelines(dataDir)
    await forgetPromotion(dataDir)
    plan = await files.prepareStart(role, signal)
  } catch (error) {
    log.error(`PostgreSQL cannot be started: ${errorText(error)}`)
    return false
  }
  await postmaster.endOrphans()
  // From here to the launch there is no await: what is looked at now still holds when the process exists.
  if (!plan || launch.cancelled || signal.aborted) return false
  if (mayLaunch?.() === false) {
    log.warning('PostgreSQL is not started as a primary: its lease has ended')
    return false
  }
  connections.listenAs(plan)
  const { dataDir, configDir, configBaseName } = config().postgresql
  const foreign = postmaster.foreignPid()
  const argv = ['-D', dataDir, `--config-file=${join(configDir, `${configBaseName}.conf`)}`, ...plan.options]
  const env = serverEnvironment(process.env, foreign === null ? {} : { PG_GRANDPARENT_PID: String(foreign) })
  const program = binaries.path('postgres')
  const child = await spawnDetached(program, argv, env)
  if (typeof child === 'string') {
    log.error(`PostgreSQL cannot be started: ${child}`)
    return false
  }
  launch.postmaster = postmaster.adopt(child)
  log.info(`postmaster pid=${child.pid}`)
  if (launch.cancelled) signalProcess(child.pid as number, 'SIGQUIT')
  return true
}

/** @returns the child, or why there is none */
function spawnDetached(
  program: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<ChildProcess | string> {
  return new Promise((resolve) => {
    try {
      const child = spawn(program, argv, { env, detached: true, stdio: ['ignore', 'inherit', 'inherit'] })
      child.once('error', (error) => resolve(error.message))
      child.once('spawn', () => resolve(child))
      child.unref()
    } catch (error) {
      resolve(errorText(error))
    }
  })
}

interface Wait {
  readonly since: Instant
  readonly launch: Launch
  readonly signal: AbortSignal
}

async function waitUntilRunning(
  machine: Machine,
  startup: Startup,
  timeoutMs: number | null,
  { since, launch, signal }: Wait,
): Promise<StartOutcome> {
  const { clock, log, memory, postmaster, config } = machine
  const limitMs = timeoutMs ?? (config().postgresql.pgCtlTimeoutMs || 60_000)
  for (;;) {
    if (!isStarting(memory.state)) return memory.state === 'running' ? 'running' : 'failed'
    if (launch.cancelled || signal.aborted) return 'failed'
    if (!postmaster.current()) {
      log.error('postmaster is not running')
      failStart(machine)
      return 'failed'
    }
    const status = postmaster.file()?.status ?? ''
    // Servers before 10 write no status; a server that recovers without hot standby never gets ready by itself.
    if (status === 'ready') becomeRunning(machine, startup)
    else {
      const waitedMs = elapsedMs(since, clock.now())
      if (waitedMs > limitMs) {
        if (status === '') log.error('Timed out waiting for PostgreSQL to start')
        return status === '' || timeoutMs !== null ? 'failed' : 'starting'
      }
      await clock.sleep(waitedMs < HASTE_MS ? POLL_MS : POLL_LATER_MS, signal)
    }
  }
}

/** The server says itself that it lets nobody in yet: each attempt would leave a FATAL line in its log. */
export function isNotThereYet({
  postmaster,
  files,
  memory,
}: Pick<Machine, 'postmaster' | 'files' | 'memory'>): boolean {
  const file = postmaster.file()
  // It writes the file before it listens: whoever is on his way now arrives while it starts.
  if (!file) return isStarting(memory.state)
  // Servers before 10 never say how far they are, others do some moments after their sockets are there.
  return file.status === '' ? files.majorVersion() >= 100000 : NOT_YET.includes(file.status)
}

/** Asks a starting server whether it is there by now (spec postgres.md 1.6). */
export async function resolveStarting(machine: Machine, startup: Startup, signal: AbortSignal): Promise<void> {
  const { memory, postmaster } = machine
  if (!isStarting(memory.state)) return
  if (postmaster.current() && isNotThereYet(machine)) return
  const readiness = await readinessOf(machine, signal)
  if (!isStarting(memory.state)) return
  if (readiness === 'accepting') becomeRunning(machine, startup)
  else if (readiness === 'no-response' && !postmaster.current()) failStart(machine)
}

export async function readinessOf(
  machine: Machine,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<typeof askReadiness>>> {
  const { clock, config, connections } = machine
  const { superuser, database } = config().postgresql
  return withBudget(clock, READINESS_LIMIT_MS, signal, (budget) =>
    askReadiness(connections.address.superuser, superuser.username ?? 'postgres', database, budget, clock),
  )
}

function becomeRunning(machine: Machine, startup: Startup): void {
  const { memory, callbacks } = machine
  const pending = startup.pending ?? 'on_start'
  const customBootstrap = memory.state === 'starting after custom bootstrap'
  startup.pending = null
  memory.setState('running')
  if (!customBootstrap) backUp(machine)
  if (pending !== 'silent') callbacks.fire(pending, memory.role)
  for (const listener of startup.onRunning) listener()
}

function failStart(machine: Machine): void {
  const customBootstrap = machine.memory.state === 'starting after custom bootstrap'
  machine.memory.setState('start failed')
  if (!customBootstrap) backUp(machine)
}

/** Nobody waits for the copies: a server that takes writes again is worth more. */
function backUp({ files, log }: Machine): void {
  files.backupConfiguration().catch((error: unknown) => log.error('Unable to back up the configuration files', error))
}
