import { parseTimeline, type Timeline } from '../cluster/timeline.ts'
import { parseInteger } from '../cluster/values.ts'
import type { Budget } from '../ports/clock.ts'
import { withBudget } from './budget.ts'
import { CONTROL_FILE_MINIMA } from './configuration/control-file-minima.ts'
import { readControlData } from './control-data.ts'
import type { Machine } from './machine.ts'
import type { SqlOutcome } from './parts.ts'

const IDENTIFY_LIMIT_MS = 3000
const SHORT_STATEMENT_LIMIT_MS = 2500

/**
 * A CHECKPOINT on a connection of its own without a statement timeout: it may take minutes (spec postgres.md 3.1).
 * Failing is no reason to stop what it was for.
 */
export async function checkpoint(machine: Machine, budget: Budget): Promise<'done' | 'failed'> {
  const { connector, connections, log } = machine
  const connection = connector.connection({
    ...connections.superuserKeywords(),
    options: '-c statement_timeout=0 -c search_path=pg_catalog',
  })
  try {
    const version = connections.heartbeat.serverVersion
    const sql = version >= 190000 ? 'CHECKPOINT (FLUSH_UNLOGGED)' : 'CHECKPOINT'
    const outcome = await connection.query(sql, [], budget)
    if (outcome.kind === 'rows') return 'done'
    log.error(`Exception during CHECKPOINT: ${problem(outcome)}`)
    return 'failed'
  } finally {
    connection.close()
  }
}

/** The timeline a running server is on, by its own word to its standbys; the only way for a standby that receives nothing. */
export async function identifyTimeline(machine: Machine, signal: AbortSignal): Promise<Timeline | null> {
  const { clock, connector, connections } = machine
  const connection = connector.connection({
    ...connections.replicationKeywords(),
    replication: 'true',
    options: '-c statement_timeout=2000',
    connect_timeout: '3',
  })
  try {
    const outcome = await withBudget(clock, IDENTIFY_LIMIT_MS, signal, (budget) =>
      connection.query('IDENTIFY_SYSTEM', [], budget),
    )
    const value = outcome.kind === 'rows' ? outcome.rows[0]?.['timeline'] : undefined
    return parseTimeline(value)
  } finally {
    connection.close()
  }
}

const STARTED_WITH_LESS = `SELECT name
  FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::bigint[])) AS needed(name, least)
  WHERE pg_catalog.current_setting(name)::bigint < least`

/**
 * Goes on with a replay that PostgreSQL 14 or later has paused because its primary runs with more than this standby was
 * started with: the server then ends, and its next start takes the greater values (spec postgres.md 3.2). What somebody
 * has paused on purpose stays paused (14.13).
 */
export async function resumeReplay(machine: Machine, signal: AbortSignal): Promise<void> {
  const { binaries, config, log, runner } = machine
  const control = await readControlData(runner, binaries, config().postgresql.dataDir, signal)
  const needed = CONTROL_FILE_MINIMA.flatMap(({ name, item }) => {
    const least = parseInteger(control?.items[item])
    return least === undefined ? [] : [{ name, least }]
  })
  const parameters = [needed.map(({ name }) => name), needed.map(({ least }) => least)]
  const less = await shortly(machine, STARTED_WITH_LESS, parameters, signal)
  if (less.kind !== 'rows') log.error(`Could not find out why the replay of WAL is paused: ${problem(less)}`)
  if (less.kind !== 'rows' || less.rows.length === 0) return
  log.info('Resuming paused WAL replay for PostgreSQL 14+')
  const outcome = await shortly(machine, 'SELECT pg_catalog.pg_wal_replay_resume()', [], signal)
  // The server ends by it, at times before it has answered.
  if (outcome.kind === 'error') log.error(`Could not resume the replay of WAL: ${problem(outcome)}`)
}

/** A transaction that writes WAL, waits for no standby, and is allowed to everybody. */
export const WRITE_WAL = `DO $$BEGIN SET LOCAL synchronous_commit = 'off'; PERFORM pg_catalog.txid_current(); END;$$`

/** Writes WAL: every standby that receives it reports how far it is (spec postgres.md 8.2). */
export async function nudgeWal(machine: Machine, signal: AbortSignal): Promise<void> {
  const outcome = await shortly(machine, WRITE_WAL, [], signal)
  if (outcome.kind !== 'rows') machine.log.error(`Could not write WAL for the standbys to report: ${problem(outcome)}`)
}

function shortly(
  { clock, connections }: Machine,
  statement: string,
  parameters: readonly unknown[],
  signal: AbortSignal,
): Promise<SqlOutcome> {
  return withBudget(clock, SHORT_STATEMENT_LIMIT_MS, signal, (budget) =>
    connections.heartbeat.query(statement, parameters, budget),
  )
}

function problem(outcome: Exclude<SqlOutcome, { kind: 'rows' }>): string {
  return outcome.kind === 'error' ? outcome.message : outcome.reason
}
