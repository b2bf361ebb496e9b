import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Files of a small authority of our own, made by openssl. */
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
  readonly strangerCa: string
  readonly remove: () => void
}

export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'matriarch-tls-'))
  const path = (name: string): string => join(folder, name)
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore', cwd: folder })
  }
  const authority = (name: string): void =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
    )
  const signed = (name: string, extensions: string): void => {
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    )
    writeFileSync(path(`${name}.ext`), extensions)
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.crt`,
    )
  }
  authority('ca')
  authority('stranger')
  signed('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  signed('misnamed', 'subjectAltName=DNS:elsewhere\n')
  signed('client', 'extendedKeyUsage=clientAuth\n')
  openssl('ec', '-in', 'client.key', '-aes256', '-passout', 'pass:open sesame', '-out', 'locked.key')
  execFileSync('sh', ['-c', 'cat client.crt client.key > both.pem'], { cwd: folder })
  return {
    ca: path('ca.crt'),
    server: { cert: path('server.crt'), key: path('server.key') },
    misnamed: { cert: path('misnamed.crt'), key: path('misnamed.key') },
    client: { cert: path('client.crt'), key: path('client.key'), both: path('both.pem') },
    lockedKey: { key: path('locked.key'), password: 'open sesame' },
    strangerCa: path('stranger.crt'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
