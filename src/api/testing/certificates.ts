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

/** An authority and what it signs, in a directory of its own; made with the openssl program. */
export class Certificates {
  readonly dir = mkdtempSync(join(tmpdir(), 'matriarch-tls-'))
  readonly authority: Certificate

  constructor() {
    this.authority = this.selfSigned('authority')
  }

  selfSigned(name: string): Certificate {
    this.#openssl('req', '-x509', ...NEW_KEY, '-nodes', '-days', '2', '-subj', `/CN=${name}`, ...this.#outputs(name))
    return this.#read(name)
  }

  /** @param days negative: it has expired */
  signed(name: string, days = 2): Certificate {
    const request = join(this.dir, `${name}.csr`)
    const { keyfile } = this.#paths(name)
    this.#openssl('req', ...NEW_KEY, '-nodes', '-subj', `/CN=${name}`, '-keyout', keyfile, '-out', request)
    const by = ['-CA', this.authority.certfile, '-CAkey', this.authority.keyfile, '-CAcreateserial']
    const { certfile } = this.#paths(name)
    this.#openssl('x509', '-req', '-in', request, ...by, '-days', String(days), '-out', certfile)
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

  #outputs(name: string): string[] {
    const { certfile, keyfile } = this.#paths(name)
    return ['-keyout', keyfile, '-out', certfile]
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
