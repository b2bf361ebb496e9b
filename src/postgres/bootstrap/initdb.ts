import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../config/types.ts'
import type { Log } from '../../ports/log.ts'
import type { Binaries, CommandRunner } from '../parts.ts'
import { INITDB_FORBIDDEN, toolArguments } from '../tool-options.ts'

/**
 * Makes a new, empty cluster (spec postgres.md 4.1). The superuser's password goes through a file that only we can read
 * and that is gone afterwards, whatever happens.
 */
export async function runInitdb(
  config: Config,
  runner: CommandRunner,
  binaries: Binaries,
  log: Log,
  signal: AbortSignal,
): Promise<boolean> {
  const { args, problems } = toolArguments(
    'initdb',
    config.bootstrap?.initdb ?? null,
    (name) => !INITDB_FORBIDDEN.includes(name),
  )
  for (const problem of problems) log.error(problem)
  if (problems.length > 0) return false
  const { superuser, dataDir } = config.postgresql
  const user = superuser.username ? [`--username=${superuser.username}`] : []
  const initdb = async (more: readonly string[]): Promise<boolean> => {
    const argv = [binaries.path('initdb'), ...args, ...user, ...more, dataDir]
    const { code, failure } = await runner.run(argv, { inheritOutput: true, signal })
    if (code !== 0) log.error(`initdb failed: ${failure ?? `exit code ${code}`}`)
    return code === 0
  }
  if (!superuser.password) return initdb([])
  const directory = await mkdtemp(join(tmpdir(), 'matriarch-initdb-'))
  try {
    const file = join(directory, 'password')
    await writeFile(file, superuser.password, { mode: 0o600, flag: 'wx' })
    return await initdb([`--pwfile=${file}`])
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
