import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { walDirectory } from './directory-facts.ts'
import type { Machine } from './machine.ts'
import { splitShellWords } from './shell-words.ts'

/**
 * Crash recovery in single-user mode, so that a former primary ends with a clean shutdown that pg_rewind accepts
 * (spec postgres.md 1.11).
 */
export async function singleUserRecovery(machine: Machine, signal: AbortSignal): Promise<'done' | 'failed'> {
  const { config, files, runner, binaries, log } = machine
  const { dataDir } = config().postgresql
  await files.archiveReadySegments(signal)
  await clearArchiveStatus(dataDir)
  await files.removeRecoverySettings()
  const options = { ...(await lastOptions(dataDir)), archive_mode: 'on', archive_command: 'false' }
  const argv = [binaries.path('postgres'), '--single', '-D', dataDir]
  for (const [name, value] of Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1)))
    argv.push('-c', `${name}=${value}`)
  const { code, stdout, stderr } = await runner.run([...argv, 'template1'], { signal })
  if (code === 0) return 'done'
  log.error(`Crash recovery finished with code=${code}`)
  log.info(` stdout=${stdout}`)
  log.info(` stderr=${stderr}`)
  return 'failed'
}

/** What recovery finds ready to be archived again would be archived by a server that is not the primary. */
async function clearArchiveStatus(dataDir: string): Promise<void> {
  const directory = join(await walDirectory(dataDir), 'archive_status')
  const names = await readdir(directory).catch(() => [])
  await Promise.all(names.map((name) => rm(join(directory, name), { force: true })))
}

async function lastOptions(dataDir: string): Promise<Record<string, string>> {
  const text = await readFile(join(dataDir, 'postmaster.opts'), 'utf8').catch(() => '')
  return parsePostmasterOptions(text)
}

/** The `--name=value` options of the last start, each in double quotes, as `postmaster.opts` holds them. */
export function parsePostmasterOptions(text: string): Record<string, string> {
  const options: Record<string, string> = {}
  const split = splitShellWords(text)
  for (const word of split.kind === 'words' ? split.words : []) {
    const match = /^--([^=]+)=([^]*)$/.exec(word)
    if (match?.[1] && match[1] !== 'config-file') options[match[1].replaceAll('-', '_')] = match[2] ?? ''
  }
  return options
}
