import { type Lsn, parseLsn } from '../../cluster/lsn.ts'
import { later } from '../../cluster/time.ts'
import { parseTimeline, parseTimelineHistory, type Timeline, type TimelineSwitch } from '../../cluster/timeline.ts'
import type { Config, PgUser } from '../../config/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { RewindSource, ServerRole, Upstream } from '../../ports/postgres.ts'
import { isSameUser, rewindUser, upstreamKeywords } from '../credentials.ts'
import type { ConnectionKeywords, SqlConnection, SqlConnector, SqlOutcome, SqlRow } from '../parts.ts'
import { WRITE_WAL } from '../statements.ts'
import type { ServerVersion } from '../version.ts'

export interface SourceDependencies {
  readonly config: () => Config
  readonly majorVersion: () => ServerVersion
  readonly connector: SqlConnector
  readonly clock: Clock
}

/** The server to rewind from, asked over the network. Nothing it answers is trusted to stay true. */
export interface SourceQuestions {
  /** In recovery? Its timeline and how it came to it (spec postgres.md 6.3 steps 3 and 4). */
  inspect(upstream: Upstream, signal: AbortSignal): Promise<RewindSource>
  /** In recovery or not, in one short session. */
  roleOf(upstream: Upstream, signal: AbortSignal): Promise<ServerRole>
  /**
   * Makes or finds the new timeline in the control file of a server that publishes nothing about itself: pg_rewind
   * reads that file (spec postgres.md 6.5 step 2). @returns why not yet; `null`: ready
   */
  prepareRemote(upstream: Upstream, signal: AbortSignal): Promise<string | null>
  /**
   * Has the server write one more WAL record. pg_rewind asks how far it is, and that is how far the rewound one must get to be
   * consistent. Where the WAL ends with a full page, PostgreSQL's answer counts the header of a page that it has not begun: a
   * source at rest would be waited for until somebody writes. A source that does not answer has nobody streaming from it.
   */
  writeOn(upstream: Upstream, signal: AbortSignal): Promise<void>
}

const ANSWER_LIMIT_MS = 3000
const OPTIONS = '-c statement_timeout=2000 -c search_path=pg_catalog'

export function createSourceQuestions(deps: SourceDependencies): SourceQuestions {
  const { connector, clock } = deps

  async function ask<T>(
    keywords: ConnectionKeywords,
    use: (query: (sql: string, limitMs?: number) => Promise<readonly SqlRow[]>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | NoAnswer> {
    const connection: SqlConnection = connector.connection({ connect_timeout: '3', ...keywords })
    try {
      return await use(async (sql, limitMs = ANSWER_LIMIT_MS) =>
        rowsOf(await connection.query(sql, [], { deadline: later(clock.now(), limitMs), signal })),
      )
    } catch (error) {
      if (error instanceof NoAnswer) return error
      throw error
    } finally {
      connection.close()
    }
  }

  function keywordsFor(upstream: Upstream, user: PgUser): ConnectionKeywords | null {
    const config = deps.config()
    const keywords = upstreamKeywords(upstream, user, config)
    // one of several hosts: the one that can be a source
    return keywords && keywords['host']?.includes(',') ? { ...keywords, target_session_attrs: 'read-write' } : keywords
  }

  /** Who asks `pg_is_in_recovery()`: without pg_rewind there may be no other user than the replication one. */
  function checkUser(): PgUser {
    const { postgresql } = deps.config()
    const onlyRemoves = !postgresql.useRewind && postgresql.removeOnDivergedTimelines
    return onlyRemoves && deps.majorVersion() < 110000
      ? postgresql.replication
      : rewindUser(deps.config(), deps.majorVersion())
  }

  async function inspect(upstream: Upstream, signal: AbortSignal): Promise<RewindSource> {
    const replication = keywordsFor(upstream, deps.config().postgresql.replication)
    if (!replication) return unreachable(new NoAnswer(NO_ADDRESS))
    const inRecovery = await askRecovery(upstream, signal)
    if (inRecovery instanceof NoAnswer) return unreachable(inRecovery)
    if (inRecovery) return { kind: 'in-recovery' }
    const stream = { ...replication, replication: 'true', options: '-c statement_timeout=2000' }
    const found = await ask(
      stream,
      async (query): Promise<RewindSource> => {
        const { timeline, lsn } = identified(await query('IDENTIFY_SYSTEM'))
        const history = timeline > 1 ? historyOf(await query(`TIMELINE_HISTORY ${timeline}`)) : []
        // several questions, several connections: a switchover in between would make a diverged history of a good one
        if (identified(await query('IDENTIFY_SYSTEM')).timeline !== timeline)
          throw new NoAnswer('its timeline has just changed')
        return { kind: 'primary', timeline, lsn, history }
      },
      signal,
    )
    return found instanceof NoAnswer ? unreachable(found) : found
  }

  async function roleOf(upstream: Upstream, signal: AbortSignal): Promise<ServerRole> {
    const inRecovery = await askRecovery(upstream, signal)
    if (inRecovery instanceof NoAnswer) return inRecovery.noListener ? 'not-running' : 'unknown'
    return inRecovery ? 'standby' : 'primary'
  }

  async function askRecovery(upstream: Upstream, signal: AbortSignal): Promise<boolean | NoAnswer> {
    const keywords = keywordsFor(upstream, checkUser())
    if (!keywords) return new NoAnswer(NO_ADDRESS)
    const asked = { ...keywords, options: OPTIONS }
    const rows = await ask(asked, (query) => query('SELECT pg_is_in_recovery() AS r'), signal)
    return rows instanceof NoAnswer ? rows : rows[0]?.['r'] !== false
  }

  async function prepareRemote(upstream: Upstream, signal: AbortSignal): Promise<string | null> {
    const config = deps.config()
    const user = rewindUser(config, deps.majorVersion())
    const keywords = keywordsFor(upstream, user)
    if (!keywords) return 'not accessible or not healthy'
    const mayCheckpoint = isSameUser(user, config.postgresql.superuser)
    const session = { ...keywords, options: mayCheckpoint ? '-c statement_timeout=0' : OPTIONS }
    const found = await ask(
      session,
      async (query) => {
        const [recovery] = await query('SELECT pg_catalog.pg_is_in_recovery() AS r')
        if (recovery?.['r'] !== false) return 'is_in_recovery=true'
        if (mayCheckpoint) {
          await query('CHECKPOINT', 3_600_000)
          return null
        }
        const [row] = await query(
          `SELECT pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) AS current,
pg_catalog.lpad(pg_catalog.upper(pg_catalog.to_hex(timeline_id)), 8, '0') AS checkpointed FROM pg_catalog.pg_control_checkpoint()`,
        )
        return row && row['current'] === row['checkpointed'] ? null : 'leader has not run a checkpoint yet'
      },
      signal,
    )
    return found instanceof NoAnswer ? 'not accessible or not healthy' : found
  }

  async function writeOn(upstream: Upstream, signal: AbortSignal): Promise<void> {
    const keywords = keywordsFor(upstream, rewindUser(deps.config(), deps.majorVersion()))
    if (!keywords) return
    await ask({ ...keywords, options: OPTIONS }, (query) => query(WRITE_WAL), signal)
  }

  return { inspect, roleOf, prepareRemote, writeOn }
}

/** Leaves the questions at once when one of them has no answer. */
class NoAnswer extends Error {
  /** The host answers, and nobody listens there. */
  readonly noListener: boolean

  constructor(reason: string, noListener = false) {
    super(reason)
    this.noListener = noListener
  }
}

const NO_ADDRESS = 'it has no address'

function unreachable({ message }: NoAnswer): RewindSource {
  return { kind: 'unreachable', reason: message }
}

function rowsOf(outcome: SqlOutcome): readonly SqlRow[] {
  if (outcome.kind === 'rows') return outcome.rows
  throw outcome.kind === 'error' ? new NoAnswer(outcome.message) : new NoAnswer(outcome.reason, outcome.noListener)
}

function identified(rows: readonly SqlRow[]): { readonly timeline: Timeline; readonly lsn: Lsn } {
  const timeline = parseTimeline(rows[0]?.['timeline'])
  const lsn = parseLsn(rows[0]?.['xlogpos'])
  if (timeline === null || lsn === null) throw new NoAnswer('it does not tell its timeline and position')
  return { timeline, lsn }
}

/** The content comes as text or as bytes, by version. */
function historyOf(rows: readonly SqlRow[]): TimelineSwitch[] {
  const content = rows[0]?.['content']
  const text = content instanceof Uint8Array ? Buffer.from(content).toString('utf8') : content
  if (typeof text !== 'string') throw new NoAnswer('it does not tell its history')
  return parseTimelineHistory(text)
}
