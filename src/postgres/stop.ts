import { isStarting } from '../cluster/instance.ts'
import { later } from '../cluster/time.ts'
import type { StopMode, StopRequest } from '../ports/postgres.ts'
import { withBudget } from './budget.ts'
import { peekClusterState, readControlData } from './control-data.ts'
import { type Machine, runHook } from './machine.ts'
import { type Postmaster, userBackends } from './postmaster.ts'
import { killTree, signalProcess } from './process-table.ts'
import { shutdownPositions } from './shutdown-positions.ts'
import { checkpoint } from './statements.ts'

const SIGNALS: Readonly<Record<StopMode, NodeJS.Signals>> = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' }
/** PostgreSQL offers no event for the steps of its shutdown. */
const POLL_MS = 10
/** Between two questions to a shutdown hook that answered "not yet". */
const HOOK_PAUSE_MS = 100
/**
 * PostgreSQL itself kills what is left of an immediate shutdown after 5 seconds. A postmaster that is still there after
 * this hangs, and would serve clients again when it wakes up.
 */
const IMMEDIATE_LIMIT_MS = 7000
/** A postmaster takes note of a signal within microseconds. One that does not is suspended or stuck. */
const NOTICE_LIMIT_MS = 1000

/** Stops PostgreSQL by signals, never by pg_ctl (spec postgres.md 1.7, ha.md 10.3). */
export async function stopServer(
  machine: Machine,
  request: StopRequest,
  signal: AbortSignal,
): Promise<'stopped' | 'failed'> {
  const { memory, callbacks, log, connections } = machine
  const end = await shutDown(machine, { ...request, onSafePoint: once(machine, request.onSafePoint) }, signal)
  if (end === 'failed') {
    log.warning('pg_ctl stop failed')
    if (!request.forRestart) memory.setState('stop failed')
    return 'failed'
  }
  connections.close()
  if (request.forRestart) return 'stopped'
  memory.setState('stopped')
  if (end === 'signalled') callbacks.fire('on_stop', memory.role)
  return 'stopped'
}

type Hooked = StopRequest & { readonly onSafePoint: () => Promise<void> }
type ShutDown = 'was-not-running' | 'signalled' | 'failed'

async function shutDown(machine: Machine, request: Hooked, signal: AbortSignal): Promise<ShutDown> {
  const { memory, postmaster: watch, config, log } = machine
  const postmaster = watch.current()
  if (!postmaster) {
    await request.onSafePoint()
    return 'was-not-running'
  }
  if (request.checkpoint && !isStarting(memory.state))
    await withBudget(machine.clock, request.limitMs, signal, (budget) => checkpoint(machine, budget))
  if (!request.forRestart) memory.setState('stopping')
  const { beforeStop } = config().postgresql
  if (beforeStop) await runHook(machine, beforeStop, signal)
  if (postmaster.singleUser) {
    log.warning(`Cannot stop server; single-user server is running (PID: ${postmaster.pid})`)
    return 'failed'
  }
  const sent = signalProcess(postmaster.pid, SIGNALS[request.mode])
  if (sent === 'forbidden') {
    log.warning(`Cannot stop server; the agent may not signal its process ${postmaster.pid}`)
    return 'failed'
  }
  if (sent === 'sent' && !(await follow(machine, postmaster, request, signal))) return 'failed'
  await watch.endOrphans()
  await request.onSafePoint()
  return sent === 'sent' ? 'signalled' : 'was-not-running'
}

/** Watches the shutdown to its end. @returns false: we were told to wait no longer, or it cannot be ended */
async function follow(
  machine: Machine,
  postmaster: Postmaster,
  request: Hooked,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, connections, postmaster: watch } = machine
  const { mode } = request
  const limitMs =
    mode === 'immediate' ? Math.min(request.limitMs ?? IMMEDIATE_LIMIT_MS, IMMEDIATE_LIMIT_MS) : request.limitMs
  // A smart shutdown waits for every client: also for us.
  if (mode === 'smart') connections.close()
  const deadline = later(clock.now(), limitMs ?? Number.POSITIVE_INFINITY)
  const limited = clock.deadline(deadline, signal)
  try {
    const step: Step = { machine, postmaster, request, signal: limited.signal }
    if (mode === 'immediate') {
      // Its sessions may go on writing while it does not react: do not wait for what it would have done to them.
      const noticed = await withBudget(clock, NOTICE_LIMIT_MS, limited.signal, ({ signal: notice }) =>
        shutdownBegins({ ...step, signal: notice }),
      )
      if (!noticed && isRunning(machine, postmaster)) return !signal.aborted && kill(machine, postmaster, signal)
    } else {
      if (await shutdownBegins(step)) {
        // PostgreSQL, started with the supervisor's socket by somebody else, may have told it that it stops.
        machine.notify('READY=1')
        await clientsLeave(step)
        await shutdownCheckpoint(step)
      }
    }
    if (await watch.waitForEnd(postmaster, limited.signal)) return true
  } finally {
    limited.done()
  }
  return !signal.aborted && escalate(machine, postmaster, mode, limitMs ?? IMMEDIATE_LIMIT_MS, signal)
}

interface Step {
  readonly machine: Machine
  readonly postmaster: Postmaster
  readonly request: Hooked
  readonly signal: AbortSignal
}

/** Until the postmaster has taken note of the signal: from then on it admits nobody. */
async function shutdownBegins({ machine, postmaster, request, signal }: Step): Promise<boolean> {
  const { clock, connections, files, postmaster: watch } = machine
  // Before 10 the file says nothing: our own session, which a fast shutdown ends, tells.
  const silent = files.majorVersion() < 100000 && request.mode === 'fast' && connections.heartbeat.isOpen
  while (!signal.aborted) {
    if (!isRunning(machine, postmaster)) return false
    if (silent ? !connections.heartbeat.isOpen : ['stopping', ''].includes(watch.file()?.status ?? '')) return true
    await clock.sleep(POLL_MS, signal)
  }
  return false
}

/** From the moment no user session is left nothing can be written any more: the safe point. */
async function clientsLeave({ machine, postmaster, request, signal }: Step): Promise<void> {
  const { clock, table } = machine
  while (isRunning(machine, postmaster)) {
    if (signal.aborted) return
    if (userBackends(table, postmaster).length === 0) break
    await clock.sleep(POLL_MS, signal)
  }
  await request.onSafePoint()
}

/**
 * While the postmaster still sends WAL and archives, its shutdown checkpoint is already written: the moment at which a
 * successor can take over (spec ha.md 10.4).
 */
async function shutdownCheckpoint({ machine, postmaster, request, signal }: Step): Promise<void> {
  const { clock, log, runner, binaries, config } = machine
  const hook = request.onShutdownCheckpoint
  if (!hook) return
  const { dataDir } = config().postgresql
  while (!signal.aborted && isRunning(machine, postmaster)) {
    const state = await peekClusterState(dataDir)
    if (state === 'shut down in recovery') return
    if (state === 'shut down' || state === null) {
      const control = await readControlData(runner, binaries, dataDir, signal)
      const positions = await shutdownPositions(runner, binaries, dataDir, control, signal)
      if (positions) {
        try {
          if (await hook(positions)) return
        } catch (error) {
          log.error('The hook at the shutdown checkpoint failed', error)
          return
        }
      } else if (control?.clusterState === 'shut down') return
      await clock.sleep(HOOK_PAUSE_MS, signal)
    } else await clock.sleep(POLL_MS, signal)
  }
}

/** Harder and harder (spec postgres.md 1.7 step 10). */
async function escalate(
  machine: Machine,
  postmaster: Postmaster,
  mode: StopMode,
  limitMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, log, postmaster: watch } = machine
  log.warning('Timeout during postmaster stop, aborting Postgres.')
  if (mode !== 'immediate') {
    signalProcess(postmaster.pid, 'SIGQUIT')
    const ended = await withBudget(clock, limitMs, signal, (budget) => watch.waitForEnd(postmaster, budget.signal))
    if (ended) return true
    if (signal.aborted) return false
  }
  return kill(machine, postmaster, signal)
}

/** @returns false: not even that ends it, which is so while it waits for its disk */
async function kill(
  { log, table, postmaster: watch }: Machine,
  postmaster: Postmaster,
  signal: AbortSignal,
): Promise<boolean> {
  log.warning('Sending SIGKILL to Postmaster and its children')
  killTree(table, postmaster)
  return watch.waitForEnd(postmaster, signal)
}

function isRunning(machine: Machine, postmaster: Postmaster): boolean {
  return machine.postmaster.current()?.pid === postmaster.pid
}

/** The safe point comes once, whoever reaches it first; a hook that fails does not keep the server from stopping. */
function once({ log }: Machine, hook: (() => Promise<void>) | undefined): () => Promise<void> {
  let called = false
  return async () => {
    if (called || !hook) return
    called = true
    try {
      await hook()
    } catch (error) {
      log.error('The hook at the safe point of the shutdown failed', error)
    }
  }
}
