import { join } from 'node:path'
import type { Binaries, ConfigSource } from './parts.ts'

/** `bin_dir` and `bin_name` of the configuration; without a `bin_dir` the name alone, looked up in PATH (spec postgres.md 1.1). */
export function configuredBinaries(config: ConfigSource): Binaries {
  return {
    path(tool) {
      const { binDir, binName } = config().postgresql
      const name = binName[tool] ?? tool
      return binDir === '' ? name : join(binDir, name)
    },
  }
}
