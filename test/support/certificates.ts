import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  readonly certfile: string
  readonly keyfile: string
  readonly cert: string
  readonly key: string
}

interface Wish {
  /** Negative: it has expired. */
  readonly days?: number
  /** A line of openssl's configuration, such as `subjectAltName=DNS:localhost`. */
  readonly extensions?: string
}

/** An authority and what it signs, in a directory of its own; made with the openssl program. */
export class Authority {
  readonly dir = mkdtempSync(join(tmpdir(), 'matriarch-tls-'))
  readonly own: Certificate = this.selfSigned('authority')

  selfSigned(name: string): Certificate {
    const { certfile, keyfile } = this.#paths(name)
    const outputs = ['-keyout', keyfile, '-out', certfile]
    this.#openssl('req', '-x509', ...NEW_KEY, '-nodes', '-days', '2', '-subj', `/CN=${name}`, ...outputs)
    return this.#read(name)
  }

  signed(name: string, { days = 2, extensions = '' }: Wish = {}): Certificate {
    const request = join(this.dir, `${name}.csr`)
    const { certfile, keyfile } = this.#paths(name)
    this.#openssl('req', ...NEW_KEY, '-nodes', '-subj', `/CN=${name}`, '-keyout', keyfile, '-out', request)
    const by = ['-CA', this.own.certfile, '-CAkey', this.own.keyfile, '-CAcreateserial']
    const more = extensions === '' ? [] : ['-extfile', this.write(`${name}.ext`, `${extensions}\n`)]
    this.#openssl('x509', '-req', '-in', request, ...by, '-days', String(days), ...more, '-out', certfile)
    return this.#read(name)
  }

  /** Certificate and key in one file. */
  combined({ cert, key }: Certificate, name: string): string {
    return this.write(`${name}.both`, cert + key)
  }

  /** The key once more, under a password. */
  encryptedKey({ keyfile }: Certificate, password: string): string {
    const path = join(this.dir, 'encrypted.key')
    this.#openssl('pkey', '-in', keyfile, '-aes256', '-passout', `pass:${password}`, '-out', path)
    return path
  }

  write(name: string, text: string): string {
    const path = join(this.dir, name)
    writeFileSync(path, text)
    return path
  }

  remove(): void {
    rmSync(this.dir, { recursive: true })
  }

  #paths(name: string) {
    return { certfile: join(this.dir, `${name}.crt`), keyfile: join(this.dir, `${name}.key`) }
  }

  #read(name: string): Certificate {
    const paths = this.#paths(name)
    return { ...paths, cert: readFileSync(paths.certfile, 'utf8'), key: readFileSync(paths.keyfile, 'utf8') }
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  }
}

/** Elliptic keys are made in no time. */
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']

/** Paths of what servers and clients of most tests need. */
export interface Certificates {
  readonly ca: string
  /** For 127.0.0.1 and localhost. */
  readonly server: { readonly cert: string; readonly key: string }
  /** Of the same authority, for a host called `elsewhere`. */
  readonly misnamed: { readonly cert: string; readonly key: string }
  readonly client: { readonly cert: string; readonly key: string; readonly both: string }
  /** The client's key, encrypted. */
  readonly lockedKey: { readonly key: string; readonly password: string }
  /** Another authority, that has signed nothing here. */
  readonly stranger: { readonly cert: string; readonly key: string }
  readonly remove: () => void
}

export function makeCertificates(): Certificates {
  const authority = new Authority()
  const paths = ({ certfile, keyfile }: Certificate) => ({ cert: certfile, key: keyfile })
  const client = authority.signed('client', { extensions: 'extendedKeyUsage=clientAuth' })
  return {
    ca: authority.own.certfile,
    server: paths(authority.signed('server', { extensions: 'subjectAltName=IP:127.0.0.1,DNS:localhost' })),
    misnamed: paths(authority.signed('misnamed', { extensions: 'subjectAltName=DNS:elsewhere' })),
    client: { ...paths(client), both: authority.combined(client, 'client') },
    lockedKey: { key: authority.encryptedKey(client, 'open sesame'), password: 'open sesame' },
    stranger: paths(authority.selfSigned('stranger')),
    remove: () => authority.remove(),
  }
}
