import type { ClusterSettings } from '../../cluster/settings.ts'
import { textForm } from '../../cluster/values.ts'
import type { Config } from '../../config/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { CloneProgress } from '../../ports/control.ts'
import type { Log } from '../../ports/log.ts'
import type { CloneRequest } from '../../ports/postgres.ts'
import { commandWords } from '../command-words.ts'
import type { Configuration } from '../configuration/configuration.ts'
import { printConninfo } from '../conninfo.ts'
import { upstreamKeywords } from '../credentials.ts'
import { errorText, inspectDataDirectory } from '../files.ts'
import type {
  Binaries,
  CommandRunner,
  ConnectionKeywords,
  InstanceMemory,
  PasswordFile,
  SqlConnector,
} from '../parts.ts'
import { isBasebackupOptionAllowed, toolArguments } from '../tool-options.ts'
import type { WorkNote } from '../unfinished-work.ts'
import { binaryVersion, majorOf } from '../version.ts'
import {
  canCloneWithoutSource,
  keepsData,
  methodArguments,
  methodNames,
  methodSection,
  needsNoSource,
} from './methods.ts'
import { copyObstacle } from './obstacle.ts'
import { BackupProgress } from './progress.ts'
import { removeDataDirectory } from './remove-data-directory.ts'

export interface CloneDependencies {
  readonly config: () => Config
  readonly configuration: Configuration
  readonly memory: InstanceMemory
  readonly runner: CommandRunner
  readonly binaries: Binaries
  readonly passwordFile: PasswordFile
  readonly connector: SqlConnector
  readonly clock: Clock
  readonly log: Log
  readonly note: () => WorkNote
  /** Called when a fresh copy stands: what was known about the old data is void. */
  readonly onCopied?: () => Promise<void>
}

/** Makes this member a copy of another one (spec postgres.md 5). */
export interface Clone {
  canCloneWithoutSource(settings: ClusterSettings): boolean
  clone(request: CloneRequest, signal: AbortSignal): Promise<boolean>
  /** See the port. */
  obstacle(request: CloneRequest, signal: AbortSignal): Promise<string | null>
  /** Of the base backup under way; `null`: none is. */
  readonly progress: CloneProgress | null
}

const RETRY_AFTER_MS = 5000

/** What every method is given. */
interface Access {
  /** Without password. Empty: there is nobody to ask. */
  readonly conninfo: string
  readonly env: Readonly<Record<string, string>>
}

export function createClone(deps: CloneDependencies): Clone {
  const { memory, log, runner, binaries, clock } = deps
  const progress = new BackupProgress(clock, log)

  async function emptyDataDirectory(config: Config): Promise<void> {
    const { dataDir } = config.postgresql
    if ((await inspectDataDirectory(dataDir)).kind === 'empty') return
    memory.setRole('uninitialized')
    await removeDataDirectory(dataDir, log)
  }

  async function basebackup(config: Config, access: Access, signal: AbortSignal): Promise<boolean> {
    const major = majorOf(await binaryVersion(runner, binaries, signal))
    const { args, problems } = toolArguments('basebackup', config.postgresql.basebackup, (name, value) =>
      isBasebackupOptionAllowed(name, value, major),
    )
    for (const problem of problems) log.error(problem)
    const { dataDir } = config.postgresql
    const argv = [
      binaries.path('pg_basebackup'),
      `--pgdata=${dataDir}`,
      '-X',
      'stream',
      `--dbname=${access.conninfo}`,
      '--progress',
      ...args,
    ]
    for (const attempt of [1, 2]) {
      await emptyDataDirectory(config)
      progress.begin()
      const onErrorLine = (line: string): boolean => progress.read(line)
      const { code, failure } = await runner
        .run(argv, { env: access.env, inheritOutput: true, onErrorLine, signal })
        .finally(() => progress.end())
      if (code === 0) return true
      log.error(`Error when fetching backup: pg_basebackup ${failure ?? `exited with code=${code}`}`)
      if (signal.aborted) break
      if (attempt === 1) {
        log.error('Trying again in 5 seconds')
        await clock.sleep(RETRY_AFTER_MS, signal)
      }
    }
    await emptyDataDirectory(config)
    return false
  }

  async function ownMethod(name: string, config: Config, access: Access, signal: AbortSignal): Promise<boolean> {
    const section = methodSection(config, name)
    const keep = keepsData(section)
    const isEmpty = (await inspectDataDirectory(config.postgresql.dataDir)).kind === 'empty'
    if (!isEmpty && keep) log.info('Leaving data directory uncleaned')
    else await emptyDataDirectory(config)
    const command = section['command'] === undefined ? name : textForm(section['command'])
    const words = commandWords(`Replica method ${name}`, command, log)
    if (!words) return false
    const argv = [...words, ...methodArguments(section, config, access.conninfo)]
    const result = await runner.run(argv, { env: access.env, inheritOutput: true, signal })
    if (result.code === 0) return true
    const how = result.code === null ? (result.failure ?? 'failed') : `exited with code=${result.code}`
    log.error(`Error creating replica using method ${name}: ${command} ${how}`)
    if (!keep) await emptyDataDirectory(config)
    return false
  }

  async function firstThatWorks(
    methods: readonly string[],
    config: Config,
    access: Access,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (const name of methods) {
      if (signal.aborted) return false
      const done = await (name === 'basebackup'
        ? basebackup
        : (...rest: Parameters<typeof basebackup>) => ownMethod(name, ...rest))(config, access, signal)
      if (!done) continue
      log.info(`replica has been created using ${name}`)
      return true
    }
    return false
  }

  async function clone(request: CloneRequest, signal: AbortSignal): Promise<boolean> {
    const config = deps.config()
    try {
      await deps.note().write({ kind: 'copy' })
    } catch (error) {
      log.error(errorText(error))
      return false
    }
    memory.setState('creating replica')
    const keywords = upstreamKeywords(request.source, config.postgresql.replication, config)
    const names = methodNames(config, request)
    const methods = keywords ? names : names.filter((name) => needsNoSource(config, name))
    const passfile = keywords && (await deps.passwordFile.temporary(keywords))
    try {
      const access = {
        conninfo: keywords ? conninfoWithoutPassword(keywords, config) : '',
        env: passfile ? { PGPASSFILE: passfile.path } : {},
      }
      const done = await firstThatWorks(methods, config, access, signal)
      if (done) {
        await deps.onCopied?.()
        await deps.configuration.adoptCopy(signal)
      }
      await deps.note().remove()
      return done
    } finally {
      memory.setState('stopped')
      await passfile?.remove()
    }
  }

  return {
    clone,
    obstacle: (request, signal) => copyObstacle(deps, request, signal),
    canCloneWithoutSource: (settings) => canCloneWithoutSource(deps.config(), settings),
    get progress() {
      return progress.current
    },
  }

  /** For tools of any version: nothing that an older libpq would not know. */
  function conninfoWithoutPassword(keywords: ConnectionKeywords, config: Config): string {
    const { password: _hidden, ...open } = keywords
    const withService = config.postgresql.krbsrvname ? { ...open, krbsrvname: config.postgresql.krbsrvname } : open
    return printConninfo(withService, deps.configuration.majorVersion() || Number.POSITIVE_INFINITY)
  }
}
