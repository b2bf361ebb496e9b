import { constants, createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { RestapiConfig } from '../config/types.ts'

export type VerifyClient = RestapiConfig['verifyClient']

/** Certificates and key as they are on disk at one moment. */
export interface TlsMaterial {
  readonly options: SecureContextOptions & { readonly requestCert: boolean; readonly rejectUnauthorized: boolean }
  readonly verifyClient: VerifyClient
  /** Differs when anything differs that clients could notice; holds no secret. */
  readonly fingerprint: string
}

export type TlsMaterialOutcome =
  | { readonly kind: 'tls'; readonly material: TlsMaterial }
  | { readonly kind: 'plain' }
  /** Names the file and what is wrong with it, never its content. */
  | { readonly kind: 'failed'; readonly reason: string }

/** Reads what `certfile` and its companions point to, and tries whether it fits together (spec rest-api.md 4.1). */
export async function loadTlsMaterial(config: RestapiConfig): Promise<TlsMaterialOutcome> {
  const { certfile, keyfile, keyfilePassword, cafile, ciphers, verifyClient } = config
  if (!certfile) return { kind: 'plain' }
  try {
    const cert = await read('certfile', certfile)
    const key = keyfile ? await read('keyfile', keyfile) : cert
    const ca = cafile ? [await read('cafile', cafile)] : []
    const options: SecureContextOptions = {
      cert,
      key,
      // An empty list, not an absent one: without a cafile no client certificate is to be trusted, not those of all authorities.
      ca,
      ...(keyfilePassword ? { passphrase: keyfilePassword } : {}),
      ...(ciphers ? { ciphers } : {}),
      // A resumed session would be taken for one with a certificate.
      ...(verifyClient === 'none' ? {} : { secureOptions: constants.SSL_OP_NO_TICKET }),
    }
    createSecureContext(options)
    const asked = verifyClient !== 'none'
    return {
      kind: 'tls',
      material: {
        options: { ...options, requestCert: asked, rejectUnauthorized: verifyClient === 'required' },
        verifyClient,
        fingerprint: fingerprint([cert, key, ...ca, keyfilePassword ?? '', ciphers ?? '', verifyClient]),
      },
    }
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) }
  }
}

async function read(setting: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Error(`restapi.${setting} ${path} can not be read: ${code ?? 'unreadable'}`, { cause: error })
  }
}

function fingerprint(parts: readonly (Buffer | string)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(createHash('sha256').update(part).digest())
  return hash.digest('hex')
}
