import { type Lsn, printLsn } from '../../cluster/lsn.ts'
import { later } from '../../cluster/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Server, SqlConnection, SqlConnector } from '../parts.ts'

export interface AdvanceDependencies {
  readonly server: () => Server
  readonly connector: SqlConnector
  readonly clock: Clock
  readonly log: Log
}

/**
 * Moves logical slots of a standby forward, beside the loop: decoding can take long. The newest target of a slot counts
 * (spec postgres.md 7.5).
 */
export interface LogicalAdvance {
  schedule(name: string, database: string, lsn: Lsn): void
  /** Forgets what is not done: before a promotion, and before slots are copied. The running statement is ended. */
  clear(): void
  /** Slots that cannot go on from where they are, since last asked: they must be copied again. */
  takeBroken(): readonly string[]
}

const ADVANCE_LIMIT_MS = 3_600_000
/** The WAL is gone; the slot was invalidated. */
const BROKEN = ['58P01', '55000']
/** `object_in_use`: somebody else holds the slot at this moment; the next cycle looks again. */
export const SLOT_IN_USE = '55006'

export function createLogicalAdvance(deps: AdvanceDependencies): LogicalAdvance {
  const { clock, log } = deps
  const queue = new Map<string, { readonly database: string; readonly lsn: Lsn }>()
  let broken = new Set<string>()
  let life = new AbortController()
  let working = false

  async function advance(connection: SqlConnection, name: string, lsn: Lsn, signal: AbortSignal): Promise<void> {
    const outcome = await connection.query(
      'SELECT pg_catalog.pg_replication_slot_advance($1, $2::pg_catalog.pg_lsn)',
      [name, printLsn(lsn)],
      { deadline: later(clock.now(), ADVANCE_LIMIT_MS), signal },
    )
    if (outcome.kind === 'rows' || signal.aborted) return
    if (outcome.kind === 'error' && outcome.sqlState === SLOT_IN_USE) return
    const why = outcome.kind === 'error' ? outcome.message : outcome.reason
    log.error(`Failed to advance logical replication slot '${name}': ${why}`)
    if (outcome.kind === 'error' && BROKEN.includes(outcome.sqlState)) broken.add(name)
  }

  async function work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const [first] = queue.values()
      if (!first || signal.aborted) return
      const { database } = first
      const options = '-c statement_timeout=0 -c search_path=pg_catalog'
      const connection = deps.connector.connection({ ...deps.server().superuserKeywords(), dbname: database, options })
      try {
        for (const [name, target] of queue) {
          if (target.database !== database || signal.aborted) continue
          queue.delete(name)
          await advance(connection, name, target.lsn, signal)
        }
      } finally {
        connection.close()
      }
    }
  }

  function begin(): void {
    if (working) return
    working = true
    const { signal } = life
    void work(signal)
      .catch((error: unknown) => log.error('Exception when advancing logical replication slots', error))
      .finally(() => {
        working = false
        if (queue.size > 0) begin()
      })
  }

  return {
    schedule(name, database, lsn) {
      queue.set(name, { database, lsn })
      begin()
    },
    clear() {
      queue.clear()
      life.abort()
      life = new AbortController()
    },
    takeBroken() {
      const names = [...broken]
      broken = new Set()
      return names
    },
  }
}
