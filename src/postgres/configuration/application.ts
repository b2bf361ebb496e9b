import { type Role, roleClass } from '../../cluster/instance.ts'
import { syncMode } from '../../cluster/settings.ts'
import { later } from '../../cluster/time.ts'
import { DERIVED_PARAMETERS, ENFORCED_PARAMETERS } from '../../config/enforced-parameters.ts'
import { parseConninfo } from '../conninfo.ts'
import { errorText } from '../files.ts'
import { nullableText, textColumn } from '../rows.ts'
import { mainFilePath } from './main-file.ts'
import { type Parameter, type Parameters, valueOf, withParameters } from './parameters.ts'
import { createPendingRestartQuestions } from './pending-restart.ts'
import { isRecoverySetting } from './recovery-names.ts'
import type { RecoverySettings } from './recovery-settings.ts'
import type { PendingRestart } from './server-parameters.ts'
import { candidateNames, type SettingRow, settingChanges, WAL_BUFFER_FACTS } from './setting-changes.ts'
import type { ConfigurationDependencies, ConfigurationWriter } from './writer.ts'

/** Brings configuration into a server that may be running (spec postgres.md 1.4, 2.13; configuration.md 7.4). */
export interface Application {
  readonly apply: (options: { readonly force: boolean }, signal: AbortSignal) => Promise<void>
  /**
   * Asks what waits for a restart when somebody has made the server read its files again: ALTER SYSTEM and changes of
   * included files pass nobody here (spec postgres.md 14, wart 4).
   */
  readonly noticeReload: (loadedAt: string | null, signal: AbortSignal) => Promise<void>
  /** Writes the main file and reloads, if the server runs; else the next start will. */
  readonly writeAndReload: (signal: AbortSignal) => Promise<void>
  readonly joinRunning: (role: Role, signal: AbortSignal) => Promise<void>
}

const QUERY_LIMIT_MS = 2000
const SYNC_NAMES = 'synchronous_standby_names'

export function createApplication(deps: ConfigurationDependencies, writer: ConfigurationWriter): Application {
  const { log, clock, memory } = deps
  const { state } = writer
  const questions = createPendingRestartQuestions(() => deps.server().sql, deps.runner, deps.binaries, clock)

  async function query(sql: string, parameters: readonly unknown[], signal: AbortSignal) {
    const deadline = later(clock.now(), QUERY_LIMIT_MS)
    const outcome = await deps.server().sql.query(sql, parameters, { deadline, signal })
    return outcome.kind === 'rows' ? outcome.rows : null
  }

  async function settingRows(names: readonly string[], signal: AbortSignal): Promise<SettingRow[] | null> {
    const rows = await query(
      'SELECT name, setting, unit, vartype, context FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = ANY($1)',
      [names],
      signal,
    )
    return (
      rows &&
      rows.map((row) => ({
        name: textColumn(row, 'name'),
        setting: textColumn(row, 'setting'),
        unit: nullableText(row, 'unit'),
        vartype: textColumn(row, 'vartype'),
        context: textColumn(row, 'context'),
      }))
    )
  }

  /** An agent that was restarted maintains nothing yet, while its primary waits for standbys all the same. */
  function isSyncUnknown(): boolean {
    return state.syncNames === undefined && syncMode(deps.settings()) !== 'off' && roleClass(memory.role) === 'primary'
  }

  function takeOverSyncNames(live: string | undefined): void {
    if (isSyncUnknown() && live) state.syncNames = live
  }

  /** Reloads and asks the server what still waits for a restart. */
  async function reloadAndAsk(expected: PendingRestart, signal: AbortSignal): Promise<void> {
    log.info('Reloading PostgreSQL configuration.')
    const before = await questions.configurationLoadedAt(signal)
    if (!deps.server().reload({ callback: true })) return
    if (writer.majorVersion() < 90500) {
      state.pendingRestart = expected
      return
    }
    await questions.waitForLoad(before, signal)
    state.raised = {}
    state.askedFor = await questions.configurationLoadedAt(signal)
    state.pendingRestart = (await questions.ask(writer.config(), signal)) ?? expected
    tellForeign(expected)
  }

  function tellForeign(expected: PendingRestart): void {
    const foreign = Object.keys(state.pendingRestart).filter((name) => !(name in expected))
    if (foreign.length > 0)
      log.info(
        `PostgreSQL configuration parameters requiring restart (${foreign.join(', ')}) seem to be changed bypassing ` +
          "Patroni config. Setting 'Pending restart' flag",
      )
  }

  async function noticeReload(loadedAt: string | null, signal: AbortSignal): Promise<void> {
    if (loadedAt === null || loadedAt === state.askedFor || memory.state !== 'running' || state.custom) return
    const asked = await questions.ask(writer.config(), signal)
    if (!asked) return
    const known = state.pendingRestart
    state.askedFor = loadedAt
    state.pendingRestart = { ...state.raised, ...asked }
    tellForeign(known)
  }

  async function apply({ force }: { readonly force: boolean }, signal: AbortSignal): Promise<void> {
    if (state.custom) {
      log.info('Skipping PostgreSQL configuration update while in custom bootstrap.')
      state.effective = writer.compute(memory.role, writer.majorVersion())
    } else if (memory.state === 'running') await applyToRunning(force, signal)
    else {
      state.effective = writer.compute(memory.role, writer.majorVersion())
      if (force) await writeWhileNotRunning(signal)
    }
  }

  async function applyToRunning(force: boolean, signal: AbortSignal): Promise<void> {
    const previous: Parameters = state.effective?.parameters ?? new Map()
    const first = writer.compute(memory.role, writer.majorVersion())
    const names = [...candidateNames(first.parameters, previous), SYNC_NAMES, ...WAL_BUFFER_FACTS]
    const rows = await settingRows(names, signal)
    if (!rows && isSyncUnknown()) {
      log.warning('The configuration was not applied: the server does not tell for which standbys it waits')
      return
    }
    takeOverSyncNames(rows?.find((row) => row.name === SYNC_NAMES)?.setting)
    const computed = writer.compute(memory.role, writer.majorVersion())
    const changes = rows && settingChanges(computed.parameters, previous, rows)
    for (const { level, text } of changes?.messages ?? []) log[level](text)
    const unknown = Object.fromEntries((changes?.unknown ?? []).map((name) => [name, null]))
    state.effective = { ...computed, parameters: withParameters(computed.parameters, unknown) }
    // Nobody to ask: better write and reload once too often than not.
    const settingsChanged = changes?.changed ?? true
    if (settingsChanged || force) await writer.writeMain(memory.role, signal)
    const accessChanged = await writer.writeAccess(memory.role)
    if (settingsChanged || accessChanged || force) return reloadAndAsk(changes?.pendingRestart ?? {}, signal)
    log.info('No PostgreSQL configuration items changed, nothing to reload.')
    const pending = await questions.ask(writer.config(), signal)
    if (pending) state.pendingRestart = { ...state.raised, ...pending }
  }

  async function writeWhileNotRunning(signal: AbortSignal): Promise<void> {
    if (writer.majorVersion() === 0) return
    try {
      await writer.writeMain(memory.role, signal)
      await writer.writeAccess(memory.role)
      deps.server().reload({ callback: true })
    } catch (error) {
      log.error(`Failed to reload config_file=${mainFilePath(writer.config())}: ${errorText(error)}`)
    }
  }

  async function writeAndReload(signal: AbortSignal): Promise<void> {
    if (memory.state !== 'running') return
    await writer.writeMain(memory.role, signal)
    deps.server().reload({ callback: true })
  }

  async function joinRunning(role: Role, signal: AbortSignal): Promise<void> {
    const version = writer.majorVersion()
    const live = await liveParameters(signal)
    if (!live) {
      log.error('The running server does not tell its parameters; its configuration is left as it is for now')
      return
    }
    takeOverSyncNames(valueOf(live, SYNC_NAMES))
    const computed = writer.compute(role, version)
    state.effective = { ...computed, parameters: running(live, computed.parameters) }
    const rewritten = await writer.writeAccess(role)
    if (version < 120000 || roleClass(role) === 'primary') return apply({ force: rewritten }, signal)
    state.recovery = recoveryFrom(new Map([...live].filter(([name]) => isRecoverySetting(name))))
    state.effective = computed
    state.rewriteAfterJoin = true
    if (rewritten) deps.server().reload({ callback: true })
  }

  /** What somebody set. The environment is left out: nobody takes that away, and before 14 it is said to set max_stack_depth. */
  async function liveParameters(signal: AbortSignal): Promise<Parameters | null> {
    const rows = await query(
      `SELECT name, pg_catalog.current_setting(name) AS value FROM pg_catalog.pg_settings
WHERE source = 'command line' OR sourcefile = $1 OR name = ANY($2)`,
      [mainFilePath(writer.config()), ENFORCED_PARAMETERS],
      signal,
    )
    return (
      rows &&
      new Map(
        rows.map((row): [string, Parameter] => {
          const name = textColumn(row, 'name')
          return [name.toLowerCase(), { name, value: textColumn(row, 'value') }]
        }),
      )
    )
  }

  return { apply, noticeReload, writeAndReload, joinRunning }
}

/** What the server was started with by somebody else, with what is always derived as it is configured here. */
function running(live: Parameters, computed: Parameters): Parameters {
  const plain = [...live].filter(([name]) => !DERIVED_PARAMETERS.includes(name) && !isRecoverySetting(name))
  return new Map([...plain, ...[...computed].filter(([name]) => DERIVED_PARAMETERS.includes(name))])
}

/** A standby that was running before us: so that a rewrite of its file loses nothing (spec postgres.md 2.2). */
function recoveryFrom(values: Parameters): RecoverySettings {
  const conninfo = valueOf(values, 'primary_conninfo')
  return {
    values: withParameters(values, { primary_conninfo: null, standby_mode: 'on' }),
    primaryConninfo: conninfo ? parseConninfo(conninfo) : null,
  }
}
