import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PostgresqlConfig } from '../../config/types.ts'
import { dataDirectoryModes, errorCode, exists, fileModeFor, replaceFile } from '../files.ts'

/** Which configuration files belong to a server, by what is redirected elsewhere (spec postgres.md 2.1). */
export interface ConfigurationFileSet {
  readonly postgresql: PostgresqlConfig
  /** `hba_file` points to a file that we do not write. */
  readonly hbaIsForeign: boolean
  readonly identIsForeign: boolean
}

function fileNames({ postgresql, hbaIsForeign, identIsForeign }: ConfigurationFileSet): string[] {
  const base = postgresql.configBaseName
  return [
    `${base}.conf`,
    ...(postgresql.customConf === null ? [`${base}.base.conf`] : []),
    ...(hbaIsForeign ? [] : ['pg_hba.conf']),
    ...(identIsForeign ? [] : ['pg_ident.conf']),
  ]
}

/**
 * Copies the configuration into the data directory. Backup tools skip symbolic links and files elsewhere; a restored
 * data directory without configuration could not be started.
 */
export async function backupConfiguration(files: ConfigurationFileSet): Promise<void> {
  const { dataDir, configDir } = files.postgresql
  const { file: mode } = await dataDirectoryModes(dataDir)
  for (const name of fileNames(files)) {
    const text = await readOrNull(join(configDir, name))
    const copy = join(dataDir, `${name}.backup`)
    if (text !== null && !(await readOrNull(copy))?.equals(text)) await replaceFile(copy, text, mode)
  }
}

/** Brings back every file that is missing. PostgreSQL insists on a pg_ident.conf, so without a backup it gets an empty one. */
export async function restoreConfiguration(files: ConfigurationFileSet, originalUmask: number): Promise<void> {
  const { dataDir, configDir } = files.postgresql
  for (const name of fileNames(files)) {
    const path = join(configDir, name)
    if (await exists(path)) continue
    const backup = await readOrNull(join(dataDir, `${name}.backup`))
    const text = backup ?? (name === 'pg_ident.conf' ? '' : null)
    if (text !== null) await replaceFile(path, text, await fileModeFor(path, dataDir, originalUmask))
  }
}

async function readOrNull(path: string): Promise<Buffer | null> {
  return readFile(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  })
}
