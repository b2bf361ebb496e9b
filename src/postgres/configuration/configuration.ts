import { appendFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { syncMode } from '../../cluster/settings.ts'
import type { Observation, RecoveryDifference, Upstream } from '../../ports/postgres.ts'
import type { ServerFiles } from '../parts.ts'
import type { ServerVersion } from '../version.ts'
import { createApplication } from './application.ts'
import { backupConfiguration, restoreConfiguration } from './backups.ts'
import type { CustomBootstrap } from './main-file.ts'
import { type Parameters, valueOf, withParameters } from './parameters.ts'
import { createRecoveryCheck } from './recovery-check.ts'
import { putRecoveryFiles, removeRecoveryFiles } from './recovery-files.ts'
import { triggerFileName } from './recovery-names.ts'
import { followSettings, type RecoverySettings } from './recovery-settings.ts'
import { listening, prepareStart } from './start-files.ts'
import { type ConfigurationDependencies, createWriter } from './writer.ts'

/** Everything that is written so that PostgreSQL runs as configured (spec postgres.md 2). */
export interface Configuration extends Omit<ServerFiles, 'archiveReadySegments'> {
  /**
   * Replaces what the agent maintains in synchronous_standby_names; writes and reloads when it is new (spec 8.4).
   * @returns whether it was new
   */
  setSynchronousStandbyNames(text: string | null, signal: AbortSignal): Promise<boolean>
  /** Replicas that hold logical slots must keep their catalogue rows on the primary (spec 7.8); writes and reloads when it is new. */
  forceFeedback(forced: boolean, signal: AbortSignal): Promise<void>
  /**
   * Brings the configuration in force into the files and the server (spec 2.13).
   * @param force write and reload even if nothing seems different
   */
  apply(options: { readonly force: boolean }, signal: AbortSignal): Promise<void>
  /** Looks again at what waits for a restart when `loadedAt`, the time of the last reload, is another one. */
  noticeReload(loadedAt: string | null, signal: AbortSignal): Promise<void>
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
  /** `postgresql.recovery_conf` with the recovery settings from among the parameters. */
  readonly recoveryConf: Parameters
  exactVersion(signal: AbortSignal): Promise<ServerVersion>
}

export function createConfiguration(deps: ConfigurationDependencies): Configuration {
  const { log, memory, passwordFile } = deps
  const writer = createWriter(deps)
  const { state, config, dataDir, majorVersion, exactVersion, inForce, fileSet } = writer
  const check = createRecoveryCheck(writer, passwordFile, deps.clock)
  const { apply, noticeReload, writeAndReload, joinRunning } = createApplication(deps, writer)

  function settingsFor(upstream: Upstream | null, version: ServerVersion): RecoverySettings {
    const { recoveryConf } = inForce()
    return followSettings(upstream, { config: config(), recoveryConf, version, useSlots: deps.settings().useSlots })
  }

  return {
    majorVersion,
    exactVersion,
    joinRunning,
    apply,
    noticeReload,
    prepareStart: (role, signal) => prepareStart(deps, writer, role, signal),
    listening: () => listening(writer),
    writeServerConfiguration: (signal) => writer.writeMain(memory.role, signal),

    get pendingRestart() {
      return state.pendingRestart
    },

    get recoveryConf() {
      return inForce().recoveryConf
    },

    async backupConfiguration() {
      if (!state.custom) await backupConfiguration(fileSet())
    },

    async putRecoverySettings(upstream, _role, signal) {
      const version = await exactVersion(signal)
      state.recovery = settingsFor(upstream, version)
      await putRecoveryFiles(state.recovery, dataDir(), version, passwordFile)
    },

    async configureAsStandby(upstream, signal) {
      state.recovery = settingsFor(upstream, await exactVersion(signal))
      await writer.writeMain(memory.role, signal)
    },

    async putExactRecovery(values) {
      state.recovery = { values, primaryConninfo: null }
      await putRecoveryFiles(state.recovery, dataDir(), majorVersion(), passwordFile)
    },

    async removeRecoverySettings() {
      state.recovery = null
      await removeRecoveryFiles(dataDir())
    },

    async setSynchronousStandbyNames(text, signal) {
      if (state.syncNames === text) return false
      state.syncNames = text
      const { parameters } = writer.compute(memory.role, majorVersion())
      const wanted = valueOf(parameters, 'synchronous_standby_names') ?? null
      const before = inForce()
      if (wanted === (valueOf(before.parameters, 'synchronous_standby_names') ?? null)) return false
      if (wanted !== null && syncMode(deps.settings()) !== 'off')
        log.info(`Assigning synchronous_standby_names to ${wanted}`)
      const changed = withParameters(before.parameters, { synchronous_standby_names: wanted })
      state.effective = { ...before, parameters: changed }
      await writeAndReload(signal)
      return true
    },

    async forceFeedback(forced, signal) {
      if (state.feedbackForced === forced) return
      state.feedbackForced = forced
      await writeAndReload(signal)
    },

    async recoveryDifference(upstream, observation, signal) {
      const version = await exactVersion(signal)
      return check.difference(settingsFor(upstream, version), version, observation, signal)
    },

    beginCustomBootstrap(custom) {
      state.custom = custom
    },

    async finishCustomBootstrap(signal) {
      const wasRaised = Object.keys(state.pendingRestart).length > 0
      const wasCold = valueOf(inForce().parameters, 'hot_standby') === 'off'
      state.custom = null
      state.effective = writer.compute(memory.role, majorVersion())
      state.recovery = null
      await removeRecoveryFiles(dataDir())
      const files = fileSet()
      if (!config().postgresql.pgHba?.length) {
        await rm(join(config().postgresql.configDir, 'pg_hba.conf'), { force: true })
        await restoreConfiguration(files, deps.originalUmask)
      }
      await writer.writeMain(memory.role, signal)
      await writer.writeAccess(memory.role)
      return files.hbaIsForeign || wasRaised || wasCold ? 'restart' : 'reload'
    },

    async appendBootstrapHba(lines) {
      const { pgHba, configDir } = config().postgresql
      if (lines.length === 0 || pgHba?.length || fileSet().hbaIsForeign) return
      await appendFile(join(configDir, 'pg_hba.conf'), `\n${lines.join('\n')}\n`)
    },

    async adoptCopy(signal) {
      await restoreConfiguration(fileSet(), deps.originalUmask)
      state.effective = writer.compute(memory.role, majorVersion())
      const trigger = triggerFileName(await exactVersion(signal))
      const path = valueOf(inForce().recoveryConf, trigger) ?? 'promote'
      await rm(resolve(dataDir(), path), { force: true }).catch(() => undefined)
    },
  }
}
