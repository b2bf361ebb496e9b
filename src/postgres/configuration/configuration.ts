import { appendFile, rm } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Role, roleClass } from '../../cluster/instance.ts'
import { type ClusterSettings, syncMode } from '../../cluster/settings.ts'
import { later } from '../../cluster/time.ts'
import type { Config } from '../../config/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Observation, RecoveryDifference, StandbyRole, Upstream } from '../../ports/postgres.ts'
import { errorText, readText } from '../files.ts'
import { parseConninfo } from '../conninfo.ts'
import type {
  Binaries,
  CommandRunner,
  InstanceMemory,
  LaunchPlan,
  PasswordFile,
  Server,
  ServerFiles,
  SqlRow,
} from '../parts.ts'
import { nullableText, textColumn } from '../rows.ts'
import { majorOf, parseVersion, type ServerVersion } from '../version.ts'
import { isForeign, managedLines, trustLines, writeAccessFile } from './access-files.ts'
import { backupConfiguration, type ConfigurationFileSet, restoreConfiguration } from './backups.ts'
import { createBinaryFacts } from './binary-facts.ts'
import { checkDirectories } from './directories.ts'
import { DERIVED, ENFORCED } from './enforced.ts'
import { type CustomBootstrap, mainFilePath, writeMainFile } from './main-file.ts'
import { type Parameters, valueOf, withParameters } from './parameters.ts'
import { createPendingRestartQuestions } from './pending-restart.ts'
import { compareRecovery } from './recovery-comparison.ts'
import { hasStandbySignal, putRecoveryFiles, removeRecoveryFiles } from './recovery-files.ts'
import { isRecoverySetting, triggerFileName } from './recovery-names.ts'
import { followSettings, type RecoverySettings, writtenSettings } from './recovery-settings.ts'
import { createRecoveryWatch } from './recovery-watch.ts'
import {
  commandLineOptions,
  type ManagedSyncNames,
  needsColdRecovery,
  type PendingRestart,
  raisedForStandby,
  type ServerParameters,
  serverParameters,
} from './server-parameters.ts'
import { candidateNames, type SettingRow, settingChanges, WAL_BUFFER_FACTS } from './setting-changes.ts'

/** What the files side is built from. */
export interface FilesDependencies {
  /** The configuration in force, with the overlay for the role. */
  readonly configFor: (role: Role) => Config
  readonly settings: () => ClusterSettings
  readonly memory: InstanceMemory
  /** Asked for late: server and files know each other. */
  readonly server: () => Server
  readonly runner: CommandRunner
  readonly binaries: Binaries
  readonly passwordFile: PasswordFile
  readonly clock: Clock
  readonly log: Log
  /** As the agent was started with: for files outside the data directory. */
  readonly originalUmask: number
  /**
   * Asked before every start: why this data directory must not be started, if so.
   * @param following whether the server is to follow somebody
   */
  readonly startForbidden?: (following: boolean) => Promise<string | null>
}

/** Everything that is written so that PostgreSQL runs as configured (spec postgres.md 2). */
export interface Configuration extends Omit<ServerFiles, 'archiveReadySegments'> {
  /** Replaces what the agent maintains in synchronous_standby_names; writes and reloads when it is new (spec 8.4). */
  setSynchronousStandbyNames(text: string | null, signal: AbortSignal): Promise<void>
  /** Replicas that hold logical slots must keep their catalogue rows on the primary (spec 7.8); writes and reloads when it is new. */
  forceFeedback(forced: boolean, signal: AbortSignal): Promise<void>
  /**
   * Brings the configuration in force into the files and the server (spec 2.13).
   * @param force write and reload even if nothing seems different
   */
  apply(options: { readonly force: boolean }, signal: AbortSignal): Promise<void>
  /** What following `upstream` would take (spec 2.10). `observation`: the last look at the server. */
  recoveryDifference(
    upstream: Upstream | null,
    observation: Observation | null,
    signal: AbortSignal,
  ): Promise<RecoveryDifference>
  /** While a custom bootstrap runs access and recovery are provisional. */
  beginCustomBootstrap(custom: CustomBootstrap): void
  /** Writes B.conf as for a standby, but nothing that would make the server one: pg_rewind reads restore_command there. */
  configureAsStandby(upstream: Upstream, signal: AbortSignal): Promise<void>
  /** Puts exactly these settings in place. */
  putExactRecovery(values: Parameters): Promise<void>
  /** Brings back missing configuration after a copy, and removes the trigger file that came along (spec 2.1, 4.2). */
  adoptCopy(signal: AbortSignal): Promise<void>
  /** Ends a custom bootstrap: writes everything as configured. @returns what makes the server use it (spec 4.4 step 6) */
  finishCustomBootstrap(signal: AbortSignal): Promise<'restart' | 'reload'>
  /** Appends `bootstrap.pg_hba` where nothing else decides about that file (spec 2.6). */
  appendBootstrapHba(lines: readonly string[]): Promise<void>
  /** Parameters the server runs with or will start with; `null` before the first computation. */
  readonly parameters: Parameters | null
  /** `postgresql.recovery_conf` with the recovery settings from among the parameters. */
  readonly recoveryConf: Parameters
  exactVersion(signal: AbortSignal): Promise<ServerVersion>
}

export function createConfiguration(deps: FilesDependencies): Configuration {
  const { log, clock, memory, passwordFile } = deps
  const binary = createBinaryFacts(deps.runner, deps.binaries)
  const watch = createRecoveryWatch(deps.server, clock, passwordFile.path)
  const questions = createPendingRestartQuestions(() => deps.server().sql, deps.runner, deps.binaries, clock)

  let effective: ServerParameters | null = null
  let recovery: RecoverySettings | null = null
  let syncNames: ManagedSyncNames
  let feedbackForced = false
  let custom: CustomBootstrap | null = null
  let pendingRestart: PendingRestart = {}
  let rewriteAfterJoin = false

  const config = (role: Role = memory.role): Config => deps.configFor(role)
  const dataDir = (): string => config().postgresql.dataDir

  function majorVersion(): ServerVersion {
    try {
      return majorOf(parseVersion(readFileSync(join(dataDir(), 'PG_VERSION'), 'utf8')))
    } catch {
      return 0
    }
  }

  async function exactVersion(signal: AbortSignal): Promise<ServerVersion> {
    const server = deps.server()
    if (server.isAlive() && server.version > 0) return server.version
    const major = majorVersion()
    const installed = await binary.version(signal)
    return major === 0 || majorOf(installed) === major ? installed : major
  }

  function compute(role: Role, version: ServerVersion): ServerParameters {
    return serverParameters({ config: config(role), settings: deps.settings(), role, version, syncNames })
  }

  function inForce(): ServerParameters {
    effective ??= compute(memory.role, majorVersion())
    return effective
  }

  function fileSet(): ConfigurationFileSet {
    const { parameters } = inForce()
    const current = config()
    return {
      postgresql: current.postgresql,
      hbaIsForeign: isForeign('pg_hba.conf', current, parameters),
      identIsForeign: isForeign('pg_ident.conf', current, parameters),
    }
  }

  async function writeMain(role: Role, signal: AbortSignal): Promise<void> {
    const version = await exactVersion(signal)
    const written = recovery && writtenSettings(recovery, version, passwordFile.path)
    const current = config(role)
    const { parameters } = inForce()
    const { originalUmask } = deps
    await writeMainFile(
      {
        config: current,
        parameters,
        recovery: written,
        version,
        feedbackForced,
        customBootstrap: custom,
        originalUmask,
      },
      binary,
      log,
      signal,
    )
    rewriteAfterJoin = false
    if (written) await watch.wrote(written, current, version)
  }

  /** @returns whether one of them is new */
  async function writeAccessFiles(role: Role): Promise<boolean> {
    const current = config(role)
    const { parameters } = inForce()
    const hbaLines = custom
      ? await trustLines(current, deps.server().address)
      : managedLines('pg_hba.conf', current, parameters)
    const hba = await writeAccessFile('pg_hba.conf', current, hbaLines, deps.originalUmask)
    const identLines = managedLines('pg_ident.conf', current, parameters)
    const ident = await writeAccessFile('pg_ident.conf', current, identLines, deps.originalUmask)
    return hba || ident
  }

  function listening(): Omit<LaunchPlan, 'options'> {
    const { parameters } = inForce()
    return {
      listenAddresses: valueOf(parameters, 'listen_addresses') ?? '',
      port: valueOf(parameters, 'port') ?? '5432',
      unixSocketDirectories: valueOf(parameters, 'unix_socket_directories') ?? null,
    }
  }

  async function raised(
    computed: ServerParameters,
    role: Role,
    version: ServerVersion,
    signal: AbortSignal,
  ): Promise<Parameters> {
    if (roleClass(role) === 'primary') return computed.parameters
    const control = await deps.server().controlData(signal)
    const result = raisedForStandby(computed.parameters, control?.items ?? {}, version)
    for (const { level, text } of result.messages) log[level](text)
    pendingRestart = result.pendingRestart
    const cold = custom !== null && needsColdRecovery(custom, version)
    return cold ? withParameters(result.parameters, { hot_standby: 'off' }) : result.parameters
  }

  async function prepareStart(role: Role, signal: AbortSignal): Promise<LaunchPlan | null> {
    const version = majorVersion()
    if (version === 0) return null
    const forbidden = await deps.startForbidden?.(recovery?.primaryConninfo != null)
    if (forbidden) {
      log.error(forbidden)
      return null
    }
    pendingRestart = {}
    const computed = compute(role, version)
    effective = { ...computed, parameters: await raised(computed, role, version, signal) }
    const problems = await checkDirectories(config(role), effective.parameters)
    for (const problem of problems) log.error(problem)
    if (problems.length > 0) return null
    await writeMain(role, signal)
    await writeAccessFiles(role)
    return { options: commandLineOptions(effective.parameters), ...listening() }
  }

  async function settingRows(names: readonly string[], signal: AbortSignal): Promise<SettingRow[] | null> {
    const outcome = await deps
      .server()
      .sql.query(
        `SELECT name, setting, unit, vartype, context FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = ANY($1)`,
        [names],
        { deadline: later(clock.now(), 2000), signal },
      )
    if (outcome.kind !== 'rows') return null
    return outcome.rows.map((row) => ({
      name: textColumn(row, 'name'),
      setting: textColumn(row, 'setting'),
      unit: nullableText(row, 'unit'),
      vartype: textColumn(row, 'vartype'),
      context: textColumn(row, 'context'),
    }))
  }

  /** Reloads and asks the server what still waits for a restart. */
  async function reloadAndAsk(expected: PendingRestart, signal: AbortSignal): Promise<void> {
    log.info('Reloading PostgreSQL configuration.')
    const before = await questions.configurationLoadedAt(signal)
    if (!deps.server().reload({ callback: true })) return
    if (majorVersion() < 90500) {
      pendingRestart = expected
      return
    }
    await questions.waitForLoad(before, signal)
    const asked = await questions.ask(config(), signal)
    pendingRestart = asked ?? expected
    const foreign = Object.keys(pendingRestart).filter((name) => !(name in expected))
    if (foreign.length > 0)
      log.info(
        `PostgreSQL configuration parameters requiring restart (${foreign.join(', ')}) seem to be changed bypassing ` +
          "Patroni config. Setting 'Pending restart' flag",
      )
  }

  async function apply({ force }: { readonly force: boolean }, signal: AbortSignal): Promise<void> {
    const previous = effective?.parameters ?? new Map()
    const computed = compute(memory.role, majorVersion())
    if (custom) {
      log.info('Skipping PostgreSQL configuration update while in custom bootstrap.')
      effective = computed
      return
    }
    if (memory.state !== 'running') {
      effective = computed
      if (force) await writeWhileNotRunning(signal)
      return
    }
    const rows = await settingRows([...candidateNames(computed.parameters, previous), ...WAL_BUFFER_FACTS], signal)
    const changes = rows && settingChanges(computed.parameters, previous, rows)
    for (const { level, text } of changes?.messages ?? []) log[level](text)
    const unknown = Object.fromEntries((changes?.unknown ?? []).map((name) => [name, null]))
    effective = { ...computed, parameters: withParameters(computed.parameters, unknown) }
    // Nobody to ask: better write and reload once too often than not.
    const settingsChanged = changes?.changed ?? true
    if (settingsChanged || force) await writeMain(memory.role, signal)
    const accessChanged = await writeAccessFiles(memory.role)
    if (settingsChanged || accessChanged || force) return reloadAndAsk(changes?.pendingRestart ?? {}, signal)
    log.info('No PostgreSQL configuration items changed, nothing to reload.')
    pendingRestart = (await questions.ask(config(), signal)) ?? pendingRestart
  }

  async function writeWhileNotRunning(signal: AbortSignal): Promise<void> {
    if (majorVersion() === 0) return
    try {
      await writeMain(memory.role, signal)
      await writeAccessFiles(memory.role)
      deps.server().reload({ callback: true })
    } catch (error) {
      log.error(`Failed to reload config_file=${mainFilePath(config())}: ${errorText(error)}`)
    }
  }

  async function writeAndReload(signal: AbortSignal): Promise<void> {
    if (memory.state !== 'running') return
    await writeMain(memory.role, signal)
    deps.server().reload({ callback: true })
  }

  async function joinRunning(role: Role, signal: AbortSignal): Promise<void> {
    const version = majorVersion()
    const rows = await liveParameters(signal)
    const computed = compute(role, version)
    const live = new Map(rows.filter(([name]) => !DERIVED.includes(name)))
    const derived = DERIVED.flatMap((name) => {
      const parameter = computed.parameters.get(name)
      return parameter ? [[name, parameter] as const] : []
    })
    const plain = [...live].filter(([name]) => !isRecoverySetting(name))
    effective = { parameters: new Map([...plain, ...derived]), recoveryConf: computed.recoveryConf }
    const rewritten = await writeAccessFiles(role)
    if (version < 120000 || roleClass(role) === 'primary') return apply({ force: rewritten }, signal)
    recovery = recoveryFrom(new Map([...live].filter(([name]) => isRecoverySetting(name))))
    effective = computed
    rewriteAfterJoin = true
    if (rewritten) deps.server().reload({ callback: true })
  }

  async function liveParameters(signal: AbortSignal): Promise<(readonly [string, { name: string; value: string }])[]> {
    const outcome = await deps.server().sql.query(
      `SELECT name, pg_catalog.current_setting(name) AS value FROM pg_catalog.pg_settings
WHERE source IN ('command line', 'environment variable') OR sourcefile = $1 OR name = ANY($2)`,
      [mainFilePath(config()), ENFORCED.map(({ name }) => name)],
      { deadline: later(clock.now(), 2000), signal },
    )
    const found: readonly SqlRow[] = outcome.kind === 'rows' ? outcome.rows : []
    return found.map((row) => {
      const name = textColumn(row, 'name')
      return [name.toLowerCase(), { name, value: textColumn(row, 'value') }] as const
    })
  }

  function settingsFor(upstream: Upstream | null, version: ServerVersion): RecoverySettings {
    const { recoveryConf } = inForce()
    return followSettings(upstream, { config: config(), recoveryConf, version, useSlots: deps.settings().useSlots })
  }

  function observedReceiver(observation: Observation | null) {
    const receiver = observation?.walReceiver
    return receiver ? { slotName: receiver.slotName, conninfo: receiver.conninfo ?? null } : null
  }

  return {
    majorVersion,
    exactVersion,
    prepareStart,
    listening,
    joinRunning,
    apply,

    get pendingRestart() {
      return pendingRestart
    },

    get parameters() {
      return effective?.parameters ?? null
    },

    get recoveryConf() {
      return inForce().recoveryConf
    },

    async backupConfiguration() {
      if (!custom) await backupConfiguration(fileSet())
    },

    async putRecoverySettings(upstream: Upstream | null, _role: StandbyRole, signal) {
      const version = await exactVersion(signal)
      recovery = settingsFor(upstream, version)
      await putRecoveryFiles(recovery, dataDir(), version, passwordFile)
    },

    async configureAsStandby(upstream, signal) {
      recovery = settingsFor(upstream, await exactVersion(signal))
      await writeMain(memory.role, signal)
    },

    async putExactRecovery(values) {
      recovery = { values, primaryConninfo: null }
      await putRecoveryFiles(recovery, dataDir(), majorVersion(), passwordFile)
    },

    async removeRecoverySettings() {
      recovery = null
      await removeRecoveryFiles(dataDir())
    },

    writeServerConfiguration: (signal) => writeMain(memory.role, signal),

    async setSynchronousStandbyNames(text, signal) {
      if (syncNames === text) return
      syncNames = text
      const { parameters } = compute(memory.role, majorVersion())
      const wanted = valueOf(parameters, 'synchronous_standby_names') ?? null
      const before = valueOf(inForce().parameters, 'synchronous_standby_names') ?? null
      if (wanted === before) return
      if (wanted !== null && syncMode(deps.settings()) !== 'off')
        log.info(`Assigning synchronous_standby_names to ${wanted}`)
      effective = {
        ...inForce(),
        parameters: withParameters(inForce().parameters, { synchronous_standby_names: wanted }),
      }
      await writeAndReload(signal)
    },

    async forceFeedback(forced, signal) {
      if (feedbackForced === forced) return
      feedbackForced = forced
      await writeAndReload(signal)
    },

    async recoveryDifference(upstream, observation, signal) {
      const version = await exactVersion(signal)
      const current = config()
      if (!(await hasStandbySignal(dataDir(), version))) return 'restart'
      const wanted = settingsFor(upstream, version)
      const settings = await watch.current(current, version, signal)
      if (settings === 'restart') return 'restart'
      if (settings === 'unknown') return 'none'
      const lines = wanted.primaryConninfo ? passwordFile.lines(wanted.primaryConninfo) : []
      const present = await readText(passwordFile.path)
      const difference = compareRecovery({
        wanted,
        current: settings,
        receiver: observedReceiver(observation),
        version,
        passfileFits: (path) => path === passwordFile.path && present !== null && sameLines(present, lines),
      })
      return difference === 'none' && rewriteAfterJoin ? 'reload' : difference
    },

    beginCustomBootstrap(state) {
      custom = state
    },

    async finishCustomBootstrap(signal) {
      const raised = Object.keys(pendingRestart).length > 0
      const isCold = valueOf(inForce().parameters, 'hot_standby') === 'off'
      custom = null
      effective = compute(memory.role, majorVersion())
      recovery = null
      await removeRecoveryFiles(dataDir())
      const files = fileSet()
      if (!config().postgresql.pgHba?.length) {
        await rm(join(config().postgresql.configDir, 'pg_hba.conf'), { force: true })
        await restoreConfiguration(files, deps.originalUmask)
      }
      await writeMain(memory.role, signal)
      await writeAccessFiles(memory.role)
      return files.hbaIsForeign || raised || isCold ? 'restart' : 'reload'
    },

    async appendBootstrapHba(lines) {
      if (lines.length === 0 || config().postgresql.pgHba?.length || fileSet().hbaIsForeign) return
      const path = join(config().postgresql.configDir, 'pg_hba.conf')
      await appendFile(path, `\n${lines.join('\n')}\n`)
    },

    async adoptCopy(signal) {
      await restoreConfiguration(fileSet(), deps.originalUmask)
      effective = compute(memory.role, majorVersion())
      const version = await exactVersion(signal)
      const trigger = valueOf(effective.recoveryConf, triggerFileName(version)) ?? 'promote'
      await rm(resolve(dataDir(), trigger), { force: true }).catch(() => undefined)
    },
  }
}

function sameLines(text: string, lines: readonly string[]): boolean {
  const present = new Set(text.split('\n').filter((line) => line !== ''))
  return present.size === new Set(lines).size && lines.every((line) => present.has(line))
}

/** A standby that was running before us: so that a rewrite of its file loses nothing (spec postgres.md 2.2). */
function recoveryFrom(values: Parameters): RecoverySettings {
  const conninfo = valueOf(values, 'primary_conninfo')
  return {
    values: withParameters(values, { primary_conninfo: null, standby_mode: 'on' }),
    primaryConninfo: conninfo ? parseConninfo(conninfo) : null,
  }
}
