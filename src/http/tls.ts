import { readFileSync } from 'node:fs'
import type { SecureContextOptions } from 'node:tls'

/** Files for TLS as a client. Paths as configured. */
export interface TlsClientFiles {
  /** Trust anchors; `null`: those of the system. */
  readonly cacert: string | null
  /** Client certificate; with `key` absent the same file holds the private key too. */
  readonly cert: string | null
  readonly key: string | null
  readonly keyPassword: string | null
}

export const NO_TLS_FILES: TlsClientFiles = { cacert: null, cert: null, key: null, keyPassword: null }

/** What of a server's certificate is checked: everything, all but the host name, nothing. */
export type Verification = 'full' | 'chain' | 'none'

export type TlsSettings = SecureContextOptions & {
  readonly rejectUnauthorized: boolean
  readonly checkServerIdentity?: () => undefined
}

export type TlsOutcome =
  | { readonly kind: 'tls'; readonly settings: TlsSettings }
  /** Names the path and the cause, never the content. */
  | { readonly kind: 'failed'; readonly reason: string }

export function loadTls(files: TlsClientFiles, verification: Verification): TlsOutcome {
  const settings: SecureContextOptions = {}
  try {
    const ca = verification === 'none' ? undefined : files.cacert ? read(files.cacert) : systemTrust()
    if (ca) settings.ca = ca
    if (files.cert) {
      settings.cert = read(files.cert)
      settings.key = files.key ? read(files.key) : settings.cert
    }
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) }
  }
  if (files.keyPassword) settings.passphrase = files.keyPassword
  return {
    kind: 'tls',
    settings: {
      ...settings,
      rejectUnauthorized: verification !== 'none',
      ...(verification === 'chain' ? { checkServerIdentity: () => undefined } : {}),
    },
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}`, { cause: error })
  }
}

/** Where Debian, Red Hat, SUSE and Alpine keep the anchors that the administrator added his own to. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/** Node brings its own list of authorities and does not know those that were added to the system's. */
function systemTrust(): Buffer | undefined {
  const given = process.env['SSL_CERT_FILE']
  for (const path of given ? [given, ...SYSTEM_BUNDLES] : SYSTEM_BUNDLES) {
    try {
      return readFileSync(path)
    } catch {
      // Not this distribution; without any, Node's own list is used.
    }
  }
  return undefined
}
