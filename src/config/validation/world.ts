import { execFile } from 'node:child_process'
import { constants, type Dirent } from 'node:fs'
import { access, readdir, readFile, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { delimiter, join } from 'node:path'

/** What became of an attempt to connect. */
export type Connection =
  | { readonly kind: 'connected' }
  | { readonly kind: 'refused' }
  /** The name has no address; with the resolver's words. */
  | { readonly kind: 'unresolved'; readonly message: string }

/** What validation asks of the machine it runs on. Nothing here changes anything. */
export interface World {
  connect(host: string, port: number): Promise<Connection>
  localAddresses(): readonly string[]
  kind(path: string): Promise<'file' | 'directory' | 'other' | 'missing'>
  entries(directory: string): Promise<readonly string[]>
  /** `null`: there is no such file or it cannot be read. */
  read(path: string): Promise<string | null>
  /** The path of an executable in `directory`, or in PATH where it is empty. */
  findExecutable(name: string, directory: string): Promise<string | null>
  /** First line of `<program> --version`. */
  versionOf(program: string): Promise<string | null>
}

const LIMIT_MS = 3000

export const realWorld: World = {
  connect(host, port) {
    return new Promise((resolve) => {
      const socket = connect({ host, port })
      const done = (outcome: Connection): void => {
        socket.destroy()
        resolve(outcome)
      }
      socket.setTimeout(LIMIT_MS, () => done({ kind: 'refused' }))
      socket.once('connect', () => done({ kind: 'connected' }))
      socket.once('error', (error: NodeJS.ErrnoException) => {
        const unresolved = error.syscall === 'getaddrinfo'
        done(unresolved ? { kind: 'unresolved', message: error.message } : { kind: 'refused' })
      })
    })
  },
  localAddresses: () =>
    Object.values(networkInterfaces()).flatMap((addresses) =>
      // Link-local IPv6 addresses mean nothing without their interface.
      (addresses ?? []).map((one) => one.address).filter((address) => !address.startsWith('fe80:')),
    ),
  async kind(path) {
    const found = await stat(path).catch(() => null)
    if (!found) return 'missing'
    return found.isDirectory() ? 'directory' : found.isFile() ? 'file' : 'other'
  },
  async entries(directory) {
    const entries: readonly Dirent[] = await readdir(directory, { withFileTypes: true }).catch(() => [])
    return entries.map((entry) => entry.name)
  },
  read: (path) => readFile(path, 'utf8').catch(() => null),
  async findExecutable(name, directory) {
    const places = directory === '' && !name.includes('/') ? (process.env['PATH'] ?? '').split(delimiter) : [directory]
    for (const place of places.filter((one) => one !== '' || name.includes('/'))) {
      const path = join(place, name)
      const runs = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
      if (runs && (await realWorld.kind(path)) === 'file') return path
    }
    return null
  },
  versionOf: (program) =>
    new Promise((resolve) => {
      execFile(program, ['--version'], { timeout: LIMIT_MS, encoding: 'utf8' }, (error, stdout) => {
        resolve(error ? null : (stdout.split('\n')[0] ?? '').trim())
      })
    }),
}
