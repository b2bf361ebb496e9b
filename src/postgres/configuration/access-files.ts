import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import type { Config } from '../../config/types.ts'
import { fileModeFor, updateFile } from '../files.ts'
import type { LocalAddress } from '../parts.ts'
import { printAccessFile } from './layout.ts'
import { type Parameters, valueOf } from './parameters.ts'

/** pg_hba.conf and pg_ident.conf (spec postgres.md 2.6). */
type AccessFile = 'pg_hba.conf' | 'pg_ident.conf'
const PARAMETER_OF = { 'pg_hba.conf': 'hba_file', 'pg_ident.conf': 'ident_file' } as const

/** Whether the configuration sends PostgreSQL to a file that is not ours to write. */
export function isForeign(file: AccessFile, config: Config, parameters: Parameters): boolean {
  const path = valueOf(parameters, PARAMETER_OF[file])
  return path !== undefined && path !== join(config.postgresql.configDir, file)
}

/** The configured lines that we write; `null`: the file is left alone. */
export function managedLines(file: AccessFile, config: Config, parameters: Parameters): readonly string[] | null {
  const lines = file === 'pg_hba.conf' ? config.postgresql.pgHba : config.postgresql.pgIdent
  return lines && lines.length > 0 && !isForeign(file, config, parameters) ? lines : null
}

/** @returns whether the file was written and is new */
export async function writeAccessFile(
  file: AccessFile,
  config: Config,
  lines: readonly string[] | null,
  originalUmask: number,
): Promise<boolean> {
  if (!lines) return false
  const path = join(config.postgresql.configDir, file)
  return updateFile(path, printAccessFile(lines), await fileModeFor(path, config.postgresql.dataDir, originalUmask))
}

/**
 * Lines that let the agent in while it does not know the passwords of a restored cluster (spec postgres.md 4.3): from
 * this host only, over the socket and each address that the local TCP host stands for.
 */
export async function trustLines(config: Config, address: LocalAddress): Promise<string[]> {
  const replicationUser = config.postgresql.replication.username ?? 'all'
  const superuser = config.postgresql.superuser.username ?? 'all'
  const lines = (type: string, from: string): string[] => [
    `${type}\treplication\t${replicationUser}\t${from}\ttrust`,
    `${type}\tall\t${superuser}\t${from}\ttrust`,
  ]
  const { host } = address.replication
  if (host === '' || host.startsWith('/')) return lines('local', '')
  const addresses = await lookup(host, { all: true }).catch(() => [])
  // one address each: /32 of IPv6 would let in a whole provider
  const hosts = addresses.flatMap((one) => lines('host', `${one.address}/${isIPv6(one.address) ? 128 : 32}`))
  return [...lines('local', ''), ...hosts]
}
