import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { replaceFile } from './files.ts'
import type { ConfigSource, ConnectionKeywords, PasswordFile } from './parts.ts'

/** The password files of the adapter (spec postgres.md 2.11): passwords reach tools and the server by them, never by arguments. */
export function passwordFile(config: ConfigSource): PasswordFile {
  return {
    get path() {
      return config().postgresql.pgpass
    },
    lines: passwordLines,
    async write(keywords) {
      const lines = passwordLines(keywords)
      if (lines.length > 0) await replaceFile(config().postgresql.pgpass, text(lines), 0o600)
    },
    async temporary(keywords) {
      const lines = passwordLines(keywords)
      if (lines.length === 0) return null
      const directory = await mkdtemp(join(tmpdir(), 'pgpass-')) // Mode 0700.
      const path = join(directory, 'pgpass')
      await writeFile(path, text(lines), { mode: 0o600 })
      return { path, remove: () => rm(directory, { recursive: true, force: true }) }
    },
  }
}

/** The file is replaced as a whole: never something else that was put there (spec postgres.md 2.1). @returns `null`: it will do */
export async function passwordFileProblem(path: string): Promise<string | null> {
  const found = await stat(path).catch(() => null)
  return found && !found.isFile() ? `${path} is there and is not a regular file` : null
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

/** One line per host: `host:port:*:user:password`. Each host has its own port where as many ports as hosts are given. */
export function passwordLines(keywords: ConnectionKeywords): readonly string[] {
  const { password, user = '' } = keywords
  if (password === undefined) return []
  const hosts = (keywords['host'] ?? '').split(',')
  const port = keywords['port'] ?? ''
  const ports = port.split(',')
  const line = (host: string, itsPort: string): string =>
    `${[host, itsPort].map(field).join(':')}:*:${field(user)}:${escaped(password)}`
  const named = hosts
    .map((host, i) => ({ host: host.trim(), port: ports.length === hosts.length ? (ports[i] ?? '') : port }))
    .filter(({ host }) => host !== '' || hosts.length === 1)
  const lines = named.map((one) => line(one.host, one.port))
  // libpq looks up a socket directory under the name localhost.
  const socket = named.find(({ host }) => host.startsWith('/'))
  if (socket && !named.some(({ host }) => host === 'localhost')) lines.push(line('localhost', socket.port))
  return lines
}

function field(value: string): string {
  return value === '' ? '*' : escaped(value)
}

function escaped(value: string): string {
  return value.replace(/[\\:]/g, (c) => `\\${c}`)
}
