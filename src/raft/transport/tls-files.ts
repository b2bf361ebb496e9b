import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'

/** Where the certificates of the group lie (`raft.cacert`, `raft.cert`, `raft.key`). */
export interface TlsPaths {
  /** The authority that signs the members of this group, and nobody else. */
  readonly cacert: string
  readonly cert: string
  /** May be the file of the certificate. */
  readonly key: string
}

export interface TlsMaterial {
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
}

/** The certificates as they are now: read again when a file has changed. */
export class TlsFiles {
  readonly #paths: TlsPaths
  readonly #warn: (text: string) => void
  #stamp: string
  #material: TlsMaterial

  private constructor(paths: TlsPaths, warn: (text: string) => void, read: { stamp: string; material: TlsMaterial }) {
    this.#paths = paths
    this.#warn = warn
    this.#stamp = read.stamp
    this.#material = read.material
  }

  /** @param warn is told why changed files cannot be used, once. @returns text: why these cannot */
  static open(paths: TlsPaths, warn: (text: string) => void): TlsFiles | string {
    const stamp = stampOf(paths)
    const material = read(paths)
    return typeof material === 'string' ? material : new TlsFiles(paths, warn, { stamp, material })
  }

  /** Equal (`===`) as long as nothing has changed. Files that cannot be used leave the former ones in force. */
  get material(): TlsMaterial {
    const stamp = stampOf(this.#paths)
    if (stamp !== this.#stamp) {
      this.#stamp = stamp
      const fresh = read(this.#paths)
      if (typeof fresh === 'string') this.#warn(`${fresh}; the former certificate stays in use`)
      else this.#material = fresh
    }
    return this.#material
  }

  /** Our own certificate, where nobody accepts it any more. @returns since when */
  expiredSince(wallMs: number): string | null {
    const { validTo } = new X509Certificate(this.#material.cert)
    return Date.parse(validTo) < wallMs ? validTo : null
  }
}

function read(paths: TlsPaths): TlsMaterial | string {
  try {
    const material = { ca: file('cacert', paths.cacert), cert: file('cert', paths.cert), key: file('key', paths.key) }
    try {
      createSecureContext(material)
    } catch (error) {
      return `raft.cacert, raft.cert and raft.key (${Object.values(paths).join(', ')}) do not fit: ${opensslReason(error)}`
    }
    return material
  } catch (error) {
    return (error as Error).message
  }
}

function file(key: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Error(`raft.${key}: cannot read ${path}: ${code ?? 'unreadable'}`, { cause: error })
  }
}

function stampOf({ cacert, cert, key }: TlsPaths): string {
  return [cacert, cert, key].map(stampOfFile).join()
}

function stampOfFile(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat ? `${stat.ino}/${stat.size}/${stat.mtimeMs}` : ''
}

/** OpenSSL puts numbers and names of functions around what it means. */
export function opensslReason(error: unknown): string {
  const { reason, message } = error as { readonly reason?: string; readonly message: string }
  return reason ?? /SSL routines:[^:]*:([^:]+)/.exec(message)?.[1] ?? message
}
