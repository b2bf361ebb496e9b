import { RestServer } from '../api/rest-server.ts'
import type { Timing } from '../cluster/settings.ts'
import { VERSION } from '../cluster/version.ts'
import type { LocalConfiguration } from '../config/local.ts'
import { EARLY_LOG } from '../config/section-log.ts'
import type { Config, Problem } from '../config/types.ts'
import { selectStore } from '../dcs/select.ts'
import { FenceLayers } from '../fence/layers.ts'
import { createLogging, type Logging } from '../log/logging.ts'
import type { Clock } from '../ports/clock.ts'
import { passwordFileProblem } from '../postgres/password-file.ts'
import { createPostgres } from '../postgres/server.ts'
import { systemClock } from '../system/clock.ts'
import { systemRandom } from '../system/random.ts'
import { Agent } from './agent.ts'
import { guardFor, newStrike, watchdogFor } from './guard.ts'
import { CycleJournal } from './journal.ts'
import { JournalFiles } from './journal-files.ts'
import { MemberPeers } from './member-peers.ts'
import type { AgentParts } from './parts.ts'
import { type ConfigOrigin, SettingsSource } from './settings-source.ts'
import { notifier } from './systemd.ts'

const WATCHDOG_UNSUPPORTED = 'Configuration requires a watchdog, but watchdog is not supported on this platform.'

/** How many records of the journal are kept in memory, for those who ask why. */
const JOURNAL_CYCLES = 1000
/** A disk that hangs must not keep the agent from ending. */
const JOURNAL_GRACE_MS = 1000

export type Assembled =
  | { readonly kind: 'agent'; readonly agent: Agent; readonly log: Logging }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }

/** Builds the real adapters and the agent on them. Nothing is connected or touched yet. */
export async function assemble(
  config: Config,
  local: LocalConfiguration,
  origin: ConfigOrigin,
  minimumTiming: Timing,
): Promise<Assembled> {
  const clock = systemClock
  const random = systemRandom
  const log = createLogging(EARLY_LOG, {
    wallMs: () => clock.wallMs(),
    pid: process.pid,
    fileMode: 0o666 & ~process.umask(),
  })
  const logging = await log.reconfigure(config.log)
  if (logging.kind === 'broken') return { kind: 'problems', problems: [problem('log', logging.reason)] }
  const settings = new SettingsSource(config, local, origin, minimumTiming, log.log('config'))
  const { ttl, loopWait, retryTimeout } = config.timing
  const selected = selectStore(
    config.store,
    {
      name: config.name,
      prefix: config.storePrefix,
      mode: 'member',
      timing: { ttlMs: ttl * 1000, loopWaitMs: loopWait * 1000, retryTimeoutMs: retryTimeout * 1000 },
    },
    { clock, random, log: log.log('dcs'), userAgent: `Patroni/${VERSION}` },
  )
  if (selected.kind === 'problems') return selected
  const passwords = await passwordFileProblem(config.postgresql.pgpass)
  if (passwords !== null) return { kind: 'problems', problems: [problem('postgresql.pgpass', passwords)] }
  const peers = new MemberPeers(config, { clock, log: log.log('ha') })
  const notify = notifier(process.env['NOTIFY_SOCKET'])
  const postgres = await createPostgres(config, { clock, log: log.log('postgresql') })
  let agent: Agent | null = null
  const watchdog = watchdogFor(() => settings.config, log.log('watchdog'))
  if (config.watchdog.mode === 'required' && !watchdog.isSupported)
    return { kind: 'problems', problems: [problem('watchdog.mode', WATCHDOG_UNSUPPORTED)] }
  const guard = guardFor(config, {
    clock,
    log: log.log('fence'),
    postmaster: () => postgres.postmaster(),
    onDeath: () => agent?.guardEnded(),
  })
  agent = new Agent({
    settings,
    configPath: origin.path,
    clock,
    random,
    log,
    store: selected.store,
    postgres,
    peers,
    reconnectPeers: (changed) => peers.reconnect(changed),
    fence: new FenceLayers(watchdog, guard),
    reconfigureFence: () => watchdog.reconfigured(),
    newStrike: () => newStrike(config),
    serve: (control) => new RestServer({ control, clock, log: log.log('api') }, settings.config.restapi),
    journal: await openJournal(config, clock, log),
    notify,
  })
  return { kind: 'agent', agent, log }
}

async function openJournal(config: Config, clock: Clock, log: Logging): Promise<AgentParts['journal']> {
  const files = config.journal.size > 0 ? new JournalFiles(config.journal, log.log('journal')) : null
  const cycles = new CycleJournal({
    max: JOURNAL_CYCLES,
    wallMs: () => clock.wallMs(),
    ...(files ? { keeper: files, earlier: await files.read() } : {}),
  })
  const close = async (): Promise<void> => {
    cycles.close()
    await Promise.race([files?.flush(), clock.sleep(JOURNAL_GRACE_MS, new AbortController().signal)])
  }
  return { cycles, close }
}

function problem(key: string, message: string): Problem {
  return { severity: 'error', key, message, file: null, line: null }
}
