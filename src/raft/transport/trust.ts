import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { TlsFiles, type TlsPaths } from './tls-files.ts'

/** How this side knows the others, and shows that it belongs to them. */
export interface Trust {
  /** From the password; `null`: none. */
  readonly secret: Buffer | null
  /** `null`: connections are not in TLS. */
  readonly tls: TlsFiles | null
}

/** @returns text: why the certificates cannot be used */
export function openTls(
  paths: TlsPaths | null,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): TlsFiles | string | null {
  if (paths === null) return null
  const files = TlsFiles.open(paths, (text) => log.warning(`raft: ${text}`))
  if (typeof files === 'string') return files
  const expired = files.expiredSince(clock.wallMs())
  if (expired !== null) log.warning(`raft: the certificate in ${paths.cert} expired on ${expired}: nobody accepts it`)
  return files
}
