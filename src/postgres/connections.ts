import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { withBudget } from './budget.ts'
import type { LiveConnection, LiveConnector } from './connection.ts'
import { userKeywords } from './credentials.ts'
import { localAddress } from './local-address.ts'
import type { ConfigSource, ConnectionKeywords, LaunchPlan, LocalAddress } from './parts.ts'
import type { PostmasterWatch } from './postmaster.ts'

const MONITOR_OPTIONS = '-c statement_timeout=2000 -c pg_stat_statements.track=none -c search_path=pg_catalog'
/** How long a lost heartbeat connection stays away before the next attempt, doubled each time up to the limit. */
const REOPEN_MS = 500
const REOPEN_LIMIT_MS = 10_000
const OPEN_LIMIT_MS = 3000

/** The agent's own connections to its server (spec postgres.md 3.1). */
export interface Connections {
  /** Of the loop. It stays open while the server runs: its end is the first sign that the server ended. */
  readonly heartbeat: LiveConnection
  /** Of the REST server. */
  readonly restapi: LiveConnection
  readonly address: LocalAddress
  /** The start that is on its way will make the server listen so. */
  listenAs(listening: Omit<LaunchPlan, 'options'>): void
  superuserKeywords(): ConnectionKeywords
  replicationKeywords(): ConnectionKeywords
  /** Drops them all: an old socket may still answer although its server is gone. */
  close(): void
}

export function connections(
  config: ConfigSource,
  connector: LiveConnector,
  postmaster: PostmasterWatch,
  configured: () => Omit<LaunchPlan, 'options'>,
  log: Log,
): Connections {
  let listening: Omit<LaunchPlan, 'options'> | null = null
  const address = (): LocalAddress => {
    const file = postmaster.file()
    const wanted = listening ?? configured()
    // An adopted server listens where it was started to, whatever the configuration says by now.
    const port = listening === null && file?.port ? file.port : wanted.port
    return localAddress(config(), { ...wanted, port }, file?.socketDirectory || null)
  }
  const superuserKeywords = (): ConnectionKeywords => ({
    ...userKeywords(config().postgresql.superuser),
    ...address().superuser,
    dbname: config().postgresql.database,
  })
  const monitor = (name: string): LiveConnection =>
    connector.connection(
      () => ({
        ...superuserKeywords(),
        application_name: `Patroni ${name}`,
        fallback_application_name: 'Patroni',
        options: MONITOR_OPTIONS,
        connect_timeout: '3',
      }),
      () => log.info(`establishing a new patroni ${name} connection to postgres`),
    )
  const heartbeat = monitor('heartbeat')
  const restapi = monitor('restapi')
  return {
    heartbeat,
    restapi,
    get address() {
      return address()
    },
    listenAs(next) {
      listening = next
    },
    superuserKeywords,
    replicationKeywords: () => ({ ...userKeywords(config().postgresql.replication), ...address().replication }),
    close() {
      if (heartbeat.isOpen || restapi.isOpen) log.info('closed patroni connections to postgres')
      heartbeat.close()
      restapi.close()
    },
  }
}

/** Keeps the heartbeat connection open while `wanted` says so, until it stands or is not wanted any more. */
export async function keepOpen(
  heartbeat: LiveConnection,
  wanted: () => boolean,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  let told: string | null = null
  for (
    let pauseMs = REOPEN_MS;
    wanted() && !heartbeat.isOpen && !signal.aborted;
    pauseMs = Math.min(2 * pauseMs, REOPEN_LIMIT_MS)
  ) {
    const failure = await withBudget(clock, OPEN_LIMIT_MS, signal, (budget) => heartbeat.open(budget))
    if (failure === null) return
    const reason = failure.kind === 'unreachable' ? failure.reason : failure.kind
    if (reason !== told && wanted() && !signal.aborted)
      log.warning(`The heartbeat connection to postgres failed: ${reason}`)
    told = reason
    await clock.sleep(pauseMs, signal)
  }
}
