import { dirname } from 'node:path'
import type { Role } from '../cluster/instance.ts'
import type { ClusterSettings } from '../cluster/settings.ts'
import type { Config } from '../config/types.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { type Bootstrap, createBootstrap } from './bootstrap/bootstrap.ts'
import { type Clone, createClone } from './clone/clone.ts'
import { removeNoted } from './clone/remove-data-directory.ts'
import { type Configuration, createConfiguration } from './configuration/configuration.ts'
import { valueOf } from './configuration/parameters.ts'
import type {
  Binaries,
  CommandRunner,
  InstanceMemory,
  PasswordFile,
  Server,
  ServerFiles,
  SqlConnector,
} from './parts.ts'
import { createRewind, type Rewind } from './rewind/rewind.ts'
import { createStartGuard, type StartGuard } from './rewind/start-guard.ts'
import { createSlots, type Slots } from './slots/slots.ts'
import { workNote } from './unfinished-work.ts'

/** What the files side is made of: tools of the process side, and what only the wiring knows. */
export interface FilesSideDependencies {
  /** The configuration in force, with the overlay for the role. */
  readonly configFor: (role: Role) => Config
  readonly settings: () => ClusterSettings
  readonly memory: InstanceMemory
  readonly server: () => Server
  readonly connector: SqlConnector
  readonly runner: CommandRunner
  readonly binaries: Binaries
  readonly passwordFile: PasswordFile
  readonly clock: Clock
  readonly log: Log
  /** The umask that the agent was started with. */
  readonly originalUmask: number
}

/** The files side of the adapter: what is written, copied and repaired on disk so that a server can run. */
export interface FilesSide {
  readonly files: ServerFiles
  readonly configuration: Configuration
  readonly bootstrap: Bootstrap
  readonly clone: Clone
  readonly rewind: Rewind
  readonly slots: Slots
  /** Also when it is cut off: see `UnfinishedWork`. */
  readonly removeDataDirectory: () => Promise<void>
  /** `tidyUp` belongs before the first cycle of an agent that found no running server. */
  readonly guard: StartGuard
}

export function createFilesSide(deps: FilesSideDependencies): FilesSide {
  const config = (): Config => deps.configFor(deps.memory.role)
  const { clock, log } = deps
  const dataDir = (): string => config().postgresql.dataDir
  const note = () => workNote(dataDir(), [dirname(config().postgresql.pgpass), config().postgresql.configDir])
  const guard = createStartGuard(dataDir, note, clock, log)
  const configuration = createConfiguration({ ...deps, startForbidden: (following) => guard.startForbidden(following) })
  const shared = { ...deps, config, configuration, note }
  const rewind = createRewind({
    ...shared,
    guard,
    majorVersion: () => configuration.majorVersion(),
    configureAsStandby: (upstream, signal) => configuration.configureAsStandby(upstream, signal),
    recoveryConfRestoreCommand: () => valueOf(configuration.recoveryConf, 'restore_command') ?? null,
  })
  return {
    files: withArchive(configuration, rewind),
    configuration,
    bootstrap: createBootstrap(shared),
    clone: createClone(shared),
    rewind,
    slots: createSlots(shared),
    removeDataDirectory: () => removeNoted(dataDir(), note(), log),
    guard,
  }
}

function withArchive(configuration: Configuration, rewind: Rewind): ServerFiles {
  return {
    majorVersion: () => configuration.majorVersion(),
    prepareStart: (role, signal) => configuration.prepareStart(role, signal),
    listening: () => configuration.listening(),
    backupConfiguration: () => configuration.backupConfiguration(),
    putRecoverySettings: (upstream, role, signal) => configuration.putRecoverySettings(upstream, role, signal),
    removeRecoverySettings: () => configuration.removeRecoverySettings(),
    writeServerConfiguration: (signal) => configuration.writeServerConfiguration(signal),
    joinRunning: (role, signal) => configuration.joinRunning(role, signal),
    get pendingRestart() {
      return configuration.pendingRestart
    },
    archiveReadySegments: (signal) => rewind.archiveReadySegments(signal),
  }
}
