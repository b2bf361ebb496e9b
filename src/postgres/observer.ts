import { isStarting } from '../cluster/instance.ts'
import type { ObservationOutcome } from '../ports/postgres.ts'
import { withBudget } from './budget.ts'
import type { LiveConnection } from './connection.ts'
import type { Machine } from './machine.ts'
import { observationQuery, readObservation } from './observation.ts'
import type { SqlOutcome } from './parts.ts'
import { isNotThereYet, readinessOf } from './start.ts'

/** The server cancels the statement after 2 s; a server that does not even do that hangs. */
const LOOK_LIMIT_MS = 2600
const QUERY_CANCELLED = '57014'

/** Looks into the running server (spec postgres.md 3.2). */
export interface Observer {
  /** The look of this cycle: one for all who ask, kept until it is forgotten. */
  observe(signal: AbortSignal): Promise<ObservationOutcome>
  forget(): void
  /** A fresh one on another connection. */
  look(signal: AbortSignal): Promise<ObservationOutcome>
}

export function observer(machine: Machine): Observer {
  const { connections, memory, postmaster } = machine
  let kept: Promise<ObservationOutcome> | null = null

  async function observeNow(signal: AbortSignal): Promise<ObservationOutcome> {
    const first = await lookWith(connections.heartbeat, signal)
    if (first.kind === 'observed' || first.final) return first
    const second = await lookWith(connections.heartbeat, signal)
    if (second.kind === 'observed' || isStarting(memory.state) || memory.state !== 'running') return second
    // The postmaster is there but starts its processes anew after a crash of one of them.
    if ((await readinessOf(machine, signal)) === 'rejecting' && postmaster.current()) memory.setState('starting')
    return second
  }

  async function lookWith(
    connection: LiveConnection,
    signal: AbortSignal,
  ): Promise<ObservationOutcome & { readonly final?: boolean }> {
    if (!postmaster.current()) return { kind: 'unreachable', reason: 'PostgreSQL is not running', final: true }
    if (memory.state === 'restarting') return { kind: 'unreachable', reason: 'cluster is being restarted', final: true }
    if (isNotThereYet(machine)) return { kind: 'unreachable', reason: 'PostgreSQL is starting', final: true }
    const { clock } = machine
    const startedAt = clock.now()
    const outcome = await withBudget(clock, LOOK_LIMIT_MS, signal, async (budget) => {
      const failure = await connection.open(budget)
      return failure ?? connection.query(observationQuery(connection.serverVersion), [], budget)
    })
    if (outcome.kind === 'rows') {
      const observation = outcome.rows[0] ? readObservation(outcome.rows[0], startedAt) : null
      if (observation) return { kind: 'observed', observation }
      return { kind: 'unreachable', reason: 'the answer of the server cannot be understood', final: true }
    }
    return {
      kind: 'unreachable',
      reason: reasonOf(outcome),
      final: isFinal(outcome) || clock.now() - startedAt > LOOK_LIMIT_MS - 500,
    }
  }

  return {
    observe(signal) {
      kept ??= observeNow(signal)
      return kept
    },
    forget() {
      kept = null
    },
    async look(signal) {
      const own = await lookWith(connections.restapi, signal)
      // No free connection for it, for example: the loop's will do.
      if (own.kind === 'observed' || own.final || !connections.heartbeat.isOpen) return own
      return lookWith(connections.heartbeat, signal)
    },
  }
}

function reasonOf(outcome: Exclude<SqlOutcome, { kind: 'rows' }>): string {
  return outcome.kind === 'error' ? outcome.message : outcome.reason
}

/** Asking again would not help: the server is slow, or refuses the statement itself. */
function isFinal(outcome: Exclude<SqlOutcome, { kind: 'rows' }>): boolean {
  return outcome.kind === 'error' && outcome.sqlState === QUERY_CANCELLED
}
