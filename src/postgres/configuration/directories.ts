import { access, constants, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import type { Config } from '../../config/types.ts'
import { dataDirectoryModes, errorCode, inspectDataDirectory, isInside, makeDirectory } from '../files.ts'
import { type Parameters, valueOf } from './parameters.ts'

/**
 * Sees to it that the directories named in the configuration exist and can be written, before PostgreSQL fails on them
 * (spec postgres.md 2.1).
 * @returns one message for each that does not do
 */
export async function checkDirectories(config: Config, parameters: Parameters): Promise<string[]> {
  const { postgresql } = config
  const problems: string[] = []
  const check = async (path: string, name: string): Promise<void> => {
    const problem = await checkDirectory(join0(postgresql.dataDir, path), postgresql.dataDir)
    if (problem) problems.push(`'${path}' is defined in ${name}, ${problem}`)
  }
  for (const socket of (valueOf(parameters, 'unix_socket_directories') ?? '').split(',')) {
    const path = socket.trim()
    // "@" is the abstract name space: no directory
    if (path !== '' && !path.startsWith('@')) await check(path, 'unix_socket_directories')
  }
  const statistics = valueOf(parameters, 'stats_temp_directory')
  if (statistics) await check(statistics, 'stats_temp_directory')
  if (!postgresql.krbsrvname) await check(dirname(postgresql.pgpass), 'postgresql.pgpass')
  return problems
}

function join0(base: string, path: string): string {
  return isAbsolute(path) ? path : join(base, path)
}

async function checkDirectory(path: string, dataDir: string): Promise<string | null> {
  if (isInside(path, dataDir) && (await inspectDataDirectory(dataDir)).kind !== 'present') return null
  const found = await stat(path).catch((error: unknown) => errorCode(error))
  if (typeof found === 'object') {
    if (!found.isDirectory()) return 'is not a directory'
    return access(path, constants.W_OK).then(
      () => null,
      () => 'the directory is not writable',
    )
  }
  if (found !== 'ENOENT') return "couldn't look at the directory"
  return makeDirectory(path, (await dataDirectoryModes(dataDir)).directory).then(
    () => null,
    () => "couldn't create the directory",
  )
}
