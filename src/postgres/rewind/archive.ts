import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../config/types.ts'
import type { Log } from '../../ports/log.ts'
import { configuredValue } from '../configuration/configured-value.ts'
import { walDirectory } from '../directory-facts.ts'
import { errorText, exists } from '../files.ts'
import type { Binaries, CommandRunner } from '../parts.ts'

export interface ArchiveDependencies {
  readonly config: () => Config
  readonly runner: CommandRunner
  readonly binaries: Binaries
  readonly log: Log
}

/** Fills in archive_command or restore_command (spec postgres.md 6.4). `%r` is the oldest file that may be needed. */
export function substituted(command: string, walPath: string, fileName: string): string {
  const replacement: Readonly<Record<string, string>> = {
    p: join(walPath, fileName),
    f: fileName,
    r: '000000010000000000000001',
    '%': '%',
  }
  return command.replace(/%(.)/g, (whole, letter: string) => replacement[letter] ?? whole)
}

/** @returns `null` where this server does not archive */
export async function archiveCommand(deps: ArchiveDependencies, signal: AbortSignal): Promise<string | null> {
  const value = (name: string) => configuredValue(name, deps.config(), deps.runner, deps.binaries, signal)
  const mode = await value('archive_mode')
  const command = await value('archive_command')
  return ['on', 'always'].includes(mode ?? '') && command ? command : null
}

/**
 * Archives one segment of the stopped server as it is: the one with the shutdown checkpoint, for those who follow this
 * server by its archive only (spec postgres.md 6.8).
 */
export async function archiveSegment(deps: ArchiveDependencies, name: string, signal: AbortSignal): Promise<boolean> {
  const command = await archiveCommand(deps, signal)
  if (command === null) return false
  const wal = await walDirectory(deps.config().postgresql.dataDir)
  const argv = ['/bin/sh', '-c', substituted(command, wal, name)]
  const { code, failure } = await deps.runner.run(argv, { inheritOutput: true, signal })
  if (code !== 0) deps.log.error(`Failed to archive WAL segment ${name}: ${failure ?? `exit code ${code}`}`)
  return code === 0
}

/**
 * Hands over the finished WAL segments that nobody has archived yet, before something may remove them: the new primary
 * may recycle its own copies without having archived them. A failure is logged, the segment stays marked.
 */
export async function archiveReadySegments(deps: ArchiveDependencies, signal: AbortSignal): Promise<void> {
  const { runner, log } = deps
  const config = deps.config()
  const wal = await walDirectory(config.postgresql.dataDir)
  const status = join(wal, 'archive_status')
  const ready = (await readdir(status).catch(() => []))
    .map((name) => /^([0-9A-F]{24}(?:\.partial)?)\.ready$/.exec(name)?.[1])
    .filter((name) => name !== undefined)
    .sort()
  if (ready.length === 0) return
  const command = await archiveCommand(deps, signal)
  if (command === null) return
  for (const name of ready) {
    if (signal.aborted || !(await exists(join(wal, name)))) continue
    const argv = ['/bin/sh', '-c', substituted(command, wal, name)]
    const { code, failure } = await runner.run(argv, { inheritOutput: true, signal })
    if (code !== 0) {
      log.warning(`Failed to archive WAL segment ${name}: ${failure ?? `exit code ${code}`}`)
      continue
    }
    try {
      await rename(join(status, `${name}.ready`), join(status, `${name}.done`))
    } catch (error) {
      log.warning(`Failed to mark WAL segment ${name} as archived: ${errorText(error)}`)
    }
  }
}
