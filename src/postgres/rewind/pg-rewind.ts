import { basename } from 'node:path'
import type { Config } from '../../config/types.ts'
import type { Log } from '../../ports/log.ts'
import { commandWords } from '../command-words.ts'
import { configuredValue } from '../configuration/configured-value.ts'
import { mainFilePath } from '../configuration/main-file.ts'
import { printConninfo } from '../conninfo.ts'
import { C_LOCALE } from '../control-data.ts'
import { walDirectory } from '../directory-facts.ts'
import type { Binaries, CommandRunner, ConnectionKeywords, PasswordFile, RunResult } from '../parts.ts'
import { REWIND_FORBIDDEN, toolArguments } from '../tool-options.ts'
import { majorOf, type ServerVersion } from '../version.ts'
import { substituted } from './archive.ts'

export interface RewindTools {
  readonly config: () => Config
  readonly runner: CommandRunner
  readonly binaries: Binaries
  readonly passwordFile: PasswordFile
  readonly log: Log
  /** `restore_command` of recovery_conf, for versions where the server does not know it. */
  readonly recoveryConfRestoreCommand: () => string | null
}

/** More segments than this are no gap in the local WAL but a broken archive. */
const FETCHED_SEGMENTS_MAX = 100_000

/**
 * Runs pg_rewind until it is done, fetching from the archive each old segment that it misses (spec postgres.md 6.5
 * steps 3 and 4).
 */
export async function runPgRewind(
  tools: RewindTools,
  source: ConnectionKeywords,
  version: ServerVersion,
  signal: AbortSignal,
): Promise<RunResult> {
  const { config: current, runner, binaries, log } = tools
  const config = current()
  const { dataDir } = config.postgresql
  const restoreCommand = await wantedRestoreCommand(tools, version, signal)
  const restore = restoreOptions(config, version, restoreCommand)
  const own = toolArguments('pg_rewind', config.postgresql.rewindOptions, (name) => !REWIND_FORBIDDEN.includes(name))
  for (const problem of own.problems) log.error(problem)
  const { password: _hidden, ...open } = source
  const passfile = await tools.passwordFile.temporary(source)
  // its report of progress names the moment when it begins to write
  const progress = own.args.includes('--progress') ? [] : ['--progress']
  const argv = [
    binaries.path('pg_rewind'),
    ...restore,
    '-D',
    dataDir,
    '--source-server',
    printConninfo({ ...open, target_session_attrs: 'read-write' }, majorOf(version)),
    ...progress,
    ...own.args,
  ]
  const env = {
    ...C_LOCALE,
    PGOPTIONS: '-c statement_timeout=0',
    ...(passfile ? { PGPASSFILE: passfile.path } : {}),
  }
  try {
    let fetched = ''
    for (let i = 0; ; i++) {
      const result = await runner.run(argv, { env, signal })
      report(result, log)
      const segment = result.code === 0 || restore.length > 0 ? null : missingSegment(result)
      if (!segment || !restoreCommand || segment === fetched || i >= FETCHED_SEGMENTS_MAX) return result
      if (!(await fetchSegment(tools, restoreCommand, segment, signal))) return result
      fetched = segment
    }
  } finally {
    await passfile?.remove()
  }
}

/** Whether this output shows that pg_rewind had finished looking and begun to write. */
export function hasBegunToWrite(result: RunResult): boolean {
  return /need to copy \d+ MB/.test(result.stderr) || /need to copy \d+ MB/.test(result.stdout)
}

async function wantedRestoreCommand(
  tools: RewindTools,
  version: ServerVersion,
  signal: AbortSignal,
): Promise<string | null> {
  const { config, runner, binaries } = tools
  const command =
    majorOf(version) >= 120000
      ? await configuredValue('restore_command', config(), runner, binaries, signal)
      : tools.recoveryConfRestoreCommand()
  return command || null
}

/** From 13 on pg_rewind can fetch for itself, if it finds the configuration: elsewhere than in the data directory from 15 on. */
function restoreOptions(config: Config, version: ServerVersion, restoreCommand: string | null): string[] {
  const { configDir, dataDir } = config.postgresql
  const isElsewhere = configDir !== dataDir
  const major = majorOf(version)
  if (!restoreCommand || major < 130000 || (isElsewhere && major < 150000)) return []
  return ['--restore-target-wal', ...(isElsewhere ? [`--config-file=${mainFilePath(config)}`] : [])]
}

function report(result: RunResult, log: Log): void {
  const { code, failure, stdout, stderr } = result
  log.info(`pg_rewind exit code=${code ?? failure}`)
  if (stdout.trim() !== '') log.info(` stdout=${withoutProgress(stdout)}`)
  if (stderr.trim() !== '') log.info(` stderr=${withoutProgress(stderr)}`)
}

/** The running count of kilobytes is for a terminal. */
function withoutProgress(text: string): string {
  const lines = text
    .split(/\r?\n|\r/)
    .filter((line) => line.trim() !== '' && !/^\s*\d+\/\d+ kB \(\d+%\) copied/.test(line))
  return lines.join('\n')
}

/** The segment without which pg_rewind could not follow the local history back. */
export function missingSegment({ stderr, stdout }: Pick<RunResult, 'stderr' | 'stdout'>): string | null {
  const pattern = /could not open file "(?:[^"]*\/)?pg_(?:wal|xlog)\/([0-9A-F]{24})": /
  const match = pattern.exec(stderr) ?? pattern.exec(stdout)
  return match?.[1] ?? null
}

async function fetchSegment(
  tools: RewindTools,
  restoreCommand: string,
  segment: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { config, runner, log } = tools
  const wal = await walDirectory(config().postgresql.dataDir)
  const words = commandWords('restore_command', substituted(restoreCommand, wal, segment), log)
  if (!words) return false
  log.info(`Trying to fetch the missing WAL segment ${segment} with ${basename(words[0] ?? '')}`)
  const { code, failure } = await runner.run(words, { inheritOutput: true, signal })
  if (code !== 0) log.warning(`restore_command for ${segment} ${failure ?? `exited with code=${code}`}`)
  return code === 0
}
