import { printLsn } from '../../cluster/lsn.ts'
import type { Member } from '../../cluster/member.ts'
import type { ClusterSettings } from '../../cluster/settings.ts'
import { slotName } from '../../cluster/slot-name.ts'
import { later } from '../../cluster/time.ts'
import { printNames } from '../../cluster/values.ts'
import { type ClusterView, leaderMember } from '../../cluster/view.ts'
import type { Observation } from '../../ports/postgres.ts'
import type { Configuration } from '../configuration/configuration.ts'
import type { ConnectionKeywords, InstanceMemory, SqlConnection, SqlOutcome } from '../parts.ts'
import { type AdvanceDependencies, createLogicalAdvance, SLOT_IN_USE } from './advance.ts'
import { type LeaderQuestionDependencies, readHorizons, readSlots, writeSlots } from './logical-copy.ts'
import { isIgnored, planSlots, type SlotStep } from './plan.ts'
import { createReadiness } from './readiness.ts'
import { needsFeedback, type SlotSituation, topOfChain, type WantedSlot, wantedSlots } from './wanted.ts'

export interface SlotsDependencies extends AdvanceDependencies, LeaderQuestionDependencies {
  readonly memory: InstanceMemory
  readonly configuration: Configuration
}

/** Replication slots of this server (spec postgres.md 7). */
export interface Slots {
  /**
   * One cycle's work. Costs no query where the last observation shows what is wanted.
   * @returns logical slots that have to be copied from the primary
   */
  sync(view: ClusterView, settings: ClusterSettings, signal: AbortSignal): Promise<readonly string[]>
  /** Copies them: stops the server, writes, starts it. */
  copyLogical(names: readonly string[], leader: Member, signal: AbortSignal): Promise<boolean>
  /** After a restart or a resume nothing that was known about copies holds. */
  scheduleReload(): void
  /** A promotion is about to happen: ends what only standbys do, warns of copies that are not safe. */
  beforePromotion(): void
}

const STATEMENT_LIMIT_MS = 2500

export function createSlots(deps: SlotsDependencies): Slots {
  const { log, clock, memory } = deps
  const advance = createLogicalAdvance(deps)
  const readiness = createReadiness(log)
  let recheck = true
  let incarnation: string | null = null
  let wantedBefore: ReadonlyMap<string, WantedSlot> = new Map()
  const said = new Set<string>()

  function situationOf(view: ClusterView, settings: ClusterSettings): SlotSituation {
    const { name, tags } = deps.config()
    return { view, settings, name, tags, role: memory.role, version: deps.server().version }
  }

  /** Mistakes last for many cycles; they are told when they appear. */
  function complain(errors: readonly string[]): void {
    for (const text of errors) if (!said.has(text)) log.error(text)
    said.clear()
    for (const text of errors) said.add(text)
  }

  function query(
    sql: string,
    parameters: readonly unknown[],
    signal: AbortSignal,
    on?: SqlConnection,
  ): Promise<SqlOutcome> {
    const budget = { deadline: later(clock.now(), STATEMENT_LIMIT_MS), signal }
    return (on ?? deps.server().sql).query(sql, parameters, budget)
  }

  async function drop(name: string, message: string | null, signal: AbortSignal): Promise<void> {
    if (message) log.info(message)
    const outcome = await query(
      `SELECT active, CASE WHEN NOT active THEN pg_catalog.pg_drop_replication_slot(slot_name)::text IS NOT NULL END AS dropped
FROM pg_catalog.pg_replication_slots WHERE slot_name = $1`,
      [name],
      signal,
    )
    if (outcome.kind !== 'rows') return failed(`Failed to drop replication slot '${name}'`, outcome)
    const [row] = outcome.rows
    if (row?.['active'] === true) log.error(`Unable to drop replication slot '${name}', slot is active`)
    else if (row) log.info(`Dropped replication slot '${name}'`)
  }

  function failed(what: string, outcome: Exclude<SqlOutcome, { kind: 'rows' }>): void {
    log.error(`${what}: ${outcome.kind === 'error' ? outcome.message : outcome.reason}`)
  }

  async function createLogical(slot: Extract<WantedSlot, { kind: 'logical' }>, signal: AbortSignal): Promise<void> {
    const keywords: ConnectionKeywords = {
      ...deps.server().superuserKeywords(),
      dbname: slot.database,
      options: '-c statement_timeout=2000 -c search_path=pg_catalog',
      connect_timeout: '3',
    }
    const connection = deps.connector.connection(keywords)
    try {
      const outcome = await query(
        `SELECT pg_catalog.pg_create_logical_replication_slot($1, $2)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_replication_slots WHERE slot_type = 'logical' AND slot_name = $1)`,
        [slot.name, slot.plugin],
        signal,
        connection,
      )
      if (outcome.kind !== 'rows')
        failed(`Failed to create logical replication slot '${slot.name}' plugin='${slot.plugin}'`, outcome)
    } finally {
      connection.close()
    }
  }

  async function createPhysical(name: string, signal: AbortSignal): Promise<void> {
    const outcome = await query(
      `SELECT pg_catalog.pg_create_physical_replication_slot($1, true)
WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical' AND slot_name = $1)`,
      [name],
      signal,
    )
    if (outcome.kind !== 'rows') failed(`Failed to create physical replication slot '${name}'`, outcome)
  }

  /** @returns whether the server's slots are other ones now */
  async function perform(step: SlotStep, signal: AbortSignal): Promise<boolean> {
    switch (step.kind) {
      case 'drop':
        await drop(step.name, step.message, signal)
        return true
      case 'leave-active':
      case 'copy-logical':
        return false
      case 'create-physical':
        await createPhysical(step.name, signal)
        return true
      case 'create-logical':
        await createLogical(step.slot, signal)
        return true
      case 'advance-physical': {
        const sql = `SELECT pg_catalog.pg_replication_slot_advance(slot_name, $2::pg_catalog.pg_lsn)
FROM pg_catalog.pg_replication_slots WHERE slot_name = $1 AND NOT active`
        const outcome = await query(sql, [step.name, printLsn(step.lsn)], signal)
        // Its member has come back since we looked: then it advances the slot itself.
        if (outcome.kind === 'error' && outcome.sqlState === SLOT_IN_USE) return false
        if (outcome.kind !== 'rows') failed(`Failed to advance physical replication slot '${step.name}'`, outcome)
        return false
      }
      case 'advance-logical':
        advance.schedule(step.name, step.database, step.lsn)
        return false
    }
  }

  /** Everything that exists may be a copy that is not safe: of an earlier agent, or from before a crash. */
  function startRecheck(observation: Observation, settings: ClusterSettings): void {
    const identity = deps.server().postmasterIdentity()
    if (identity !== incarnation) recheck = true
    incarnation = identity
    if (!recheck) return
    recheck = false
    if (!observation.inRecovery) return
    const copies = observation.slots.filter(
      (slot) => slot.type === 'logical' && !slot.failover && !isIgnored(slot, settings.ignoreSlots),
    )
    readiness.add(copies.map((slot) => slot.name))
  }

  async function judgeCopies(situation: SlotSituation, observation: Observation, signal: AbortSignal): Promise<void> {
    const leader = leaderMember(situation.view)
    if (readiness.unsafe.length === 0 || !leader || leader.name === situation.name) return
    const physicalName = slotName(topOfChain(situation))
    const horizons = await readHorizons(deps, leader, physicalName, readiness.unasked, situation.version, signal)
    if (!horizons) return
    const feedback = await query(`SELECT pg_catalog.current_setting('hot_standby_feedback') AS value`, [], signal)
    const isOn = feedback.kind === 'rows' && feedback.rows[0]?.['value'] === 'on'
    readiness.judge(physicalName, horizons, observation.slots, isOn)
  }

  async function sync(view: ClusterView, settings: ClusterSettings, signal: AbortSignal): Promise<readonly string[]> {
    const server = deps.server()
    if (server.version > 0 && server.version < 90400) return []
    const outcome = await server.observe(signal)
    if (outcome.kind !== 'observed') return []
    const { observation } = outcome
    const situation = situationOf(view, settings)
    await deps.configuration.forceFeedback(needsFeedback(situation), signal)
    startRecheck(observation, settings)
    const { slots: wanted, errors } = wantedSlots(situation)
    wantedBefore = wanted
    const steps = planSlots({ situation, wanted, observation })
    const active = steps.filter((step) => step.kind === 'leave-active')
    complain([...errors, ...active.map(({ name }) => `Unable to drop replication slot '${name}', slot is active`)])
    let changed = false
    for (const step of steps) if (!signal.aborted) changed = (await perform(step, signal)) || changed
    if (changed) server.forgetObservation()
    if (!observation.inRecovery) {
      readiness.clear()
      return []
    }
    await judgeCopies(situation, observation, signal)
    const missing = steps.flatMap((step) => (step.kind === 'copy-logical' ? [step.name] : []))
    const broken = advance.takeBroken().filter((name) => wanted.get(name)?.kind === 'logical')
    return [...new Set([...missing, ...broken])].sort()
  }

  async function copyLogical(names: readonly string[], leader: Member, signal: AbortSignal): Promise<boolean> {
    const server = deps.server()
    const wanted = names.flatMap((name) => {
      const slot = wantedBefore.get(name)
      return slot?.kind === 'logical' ? [slot] : []
    })
    const copies = await readSlots(deps, leader, wanted, server.version, signal)
    if (copies.length === 0 || signal.aborted) return false
    advance.clear()
    const stopped = await server.stop({ mode: 'fast', checkpoint: true, limitMs: null }, signal)
    if (stopped !== 'stopped') return false
    await writeSlots(deps.config().postgresql.dataDir, copies)
    readiness.add(copies.map((copy) => copy.name))
    return (await server.start({ timeoutMs: null, callback: true }, signal)) !== 'failed'
  }

  return {
    sync,
    copyLogical,
    scheduleReload() {
      recheck = true
    },
    beforePromotion() {
      advance.clear()
      if (readiness.unsafe.length > 0)
        log.warning(
          `Logical replication slots that might be unsafe to use after promote: ${printNames(readiness.unsafe)}`,
        )
    },
  }
}
