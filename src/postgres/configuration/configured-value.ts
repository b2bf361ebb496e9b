import type { Config } from '../../config/types.ts'
import type { Binaries, CommandRunner } from '../parts.ts'
import { mainFilePath } from './main-file.ts'

/**
 * What a postmaster started now would use, by the files: `postgres -C`. The running one may still have another value.
 * @returns `null` where it cannot be told
 */
export async function configuredValue(
  name: string,
  config: Config,
  runner: CommandRunner,
  binaries: Binaries,
  signal: AbortSignal,
): Promise<string | null> {
  const { code, stdout } = await runner.run(
    [binaries.path('postgres'), '-D', config.postgresql.dataDir, '-C', name, `--config-file=${mainFilePath(config)}`],
    { signal },
  )
  return code === 0 ? stdout.replace(/\r?\n$/, '') : null
}
