import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Role } from '../../cluster/instance.ts'
import type { ClusterSettings } from '../../cluster/settings.ts'
import type { Config } from '../../config/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Binaries, CommandRunner, InstanceMemory, PasswordFile, Server } from '../parts.ts'
import { majorOf, parseVersion, type ServerVersion } from '../version.ts'
import { isForeign, managedLines, trustLines, writeAccessFile } from './access-files.ts'
import type { ConfigurationFileSet } from './backups.ts'
import { createBinaryFacts } from './binary-facts.ts'
import { type CustomBootstrap, writeMainFile } from './main-file.ts'
import { type RecoverySettings, writtenSettings } from './recovery-settings.ts'
import { createRecoveryWatch, type RecoveryWatch } from './recovery-watch.ts'
import {
  type ManagedSyncNames,
  type PendingRestart,
  type ServerParameters,
  serverParameters,
} from './server-parameters.ts'

/** What the configuration is built from. */
export interface ConfigurationDependencies {
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

/** What the agent wants on disk beside the configuration itself. Written by configuration/ alone. */
export interface ConfigurationState {
  /** What the server runs with or will start with; `null` before it was computed. */
  effective: ServerParameters | null
  /** Remembered for the next time postgresql.conf is written. */
  recovery: RecoverySettings | null
  syncNames: ManagedSyncNames
  feedbackForced: boolean
  custom: CustomBootstrap | null
  pendingRestart: PendingRestart
  /** The part of it that only we know: the server was started with more than is configured. */
  raised: PendingRestart
  /** Load time of the configuration for which the server was last asked what waits for a restart. */
  askedFor: string | null
  /** A standby was adopted, and its file is still that of its former agent. */
  rewriteAfterJoin: boolean
}

/** Computes and writes the files from the configuration in force and the state. */
export interface ConfigurationWriter {
  readonly state: ConfigurationState
  readonly watch: RecoveryWatch
  readonly config: (role?: Role) => Config
  readonly dataDir: () => string
  /** By PG_VERSION; 0 unknown. */
  readonly majorVersion: () => ServerVersion
  /** Of the running server; else of the binary, as far as it fits the data directory. */
  readonly exactVersion: (signal: AbortSignal) => Promise<ServerVersion>
  readonly compute: (role: Role, version: ServerVersion) => ServerParameters
  readonly inForce: () => ServerParameters
  readonly fileSet: () => ConfigurationFileSet
  readonly writeMain: (role: Role, signal: AbortSignal) => Promise<void>
  /** @returns whether one of pg_hba.conf and pg_ident.conf is new */
  readonly writeAccess: (role: Role) => Promise<boolean>
}

export function createWriter(deps: ConfigurationDependencies): ConfigurationWriter {
  const { log, memory, passwordFile, originalUmask } = deps
  const binary = createBinaryFacts(deps.runner, deps.binaries)
  const watch = createRecoveryWatch(deps.server, deps.clock, () => passwordFile.path)
  const state: ConfigurationState = {
    effective: null,
    recovery: null,
    syncNames: undefined,
    feedbackForced: false,
    custom: null,
    pendingRestart: {},
    raised: {},
    askedFor: null,
    rewriteAfterJoin: false,
  }
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
    // a major version alone: nobody has been connected yet
    if (server.isAlive() && server.version > majorOf(server.version)) return server.version
    const major = majorVersion()
    const installed = await binary.version(signal)
    return major === 0 || majorOf(installed) === major ? installed : major
  }

  function compute(role: Role, version: ServerVersion): ServerParameters {
    const { syncNames } = state
    return serverParameters({ config: config(role), settings: deps.settings(), role, version, syncNames })
  }

  function inForce(): ServerParameters {
    state.effective ??= compute(memory.role, majorVersion())
    return state.effective
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
    const { recovery: settings, feedbackForced, custom: customBootstrap } = state
    const version = await exactVersion(signal)
    const recovery = settings && writtenSettings(settings, version, passwordFile.path)
    const current = config(role)
    const { parameters } = inForce()
    const shared = { config: current, parameters, recovery, version }
    await writeMainFile({ ...shared, feedbackForced, customBootstrap, originalUmask }, binary, log, signal)
    state.rewriteAfterJoin = false
    if (recovery) await watch.wrote(recovery, current, version)
  }

  async function writeAccess(role: Role): Promise<boolean> {
    const current = config(role)
    const { parameters } = inForce()
    const hbaLines = state.custom
      ? await trustLines(current, deps.server().address)
      : managedLines('pg_hba.conf', current, parameters)
    const hba = await writeAccessFile('pg_hba.conf', current, hbaLines, originalUmask)
    const identLines = managedLines('pg_ident.conf', current, parameters)
    const ident = await writeAccessFile('pg_ident.conf', current, identLines, originalUmask)
    return hba || ident
  }

  return {
    state,
    watch,
    config,
    dataDir,
    majorVersion,
    exactVersion,
    compute,
    inForce,
    fileSet,
    writeMain,
    writeAccess,
  }
}
