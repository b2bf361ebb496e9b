import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** What a line of a password file is looked up by. */
export interface PasswordKey {
  /** A host name, or a socket directory. */
  readonly host: string
  readonly port: string
  readonly database: string
  readonly user: string
}

/**
 * The password that libpq would take from a password file: the first line whose four fields match.
 * @param text lines of `host:port:database:user:password`, `*` matches anything, `\` escapes `:` and `\`
 */
export function passwordFromFile(text: string, key: PasswordKey): string | null {
  const host = key.host === '' || key.host.startsWith('/') ? 'localhost' : key.host
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue
    const fields = [...line.matchAll(/(?:^|:)((?:\\.|[^\\:])*)/g)].map((field) => field[1] ?? '')
    const [lineHost, port, database, user, password] = fields
    if (password === undefined) continue
    const matches = (field: string | undefined, ...values: readonly string[]): boolean =>
      field === '*' || values.includes((field ?? '').replace(/\\(.)/g, '$1'))
    if (
      matches(lineHost, host, key.host) &&
      matches(port, key.port) &&
      matches(database, key.database) &&
      matches(user, key.user)
    )
      return password.replace(/\\(.)/g, '$1')
  }
  return null
}

/** Looks in `passfile`, else where libpq would. A file that others may read is not trusted, as libpq does not. */
export async function lookUpPassword(passfile: string | undefined, key: PasswordKey): Promise<string | null> {
  const path = passfile || process.env['PGPASSFILE'] || join(homedir(), '.pgpass')
  try {
    const found = await stat(path)
    if (!found.isFile() || (found.mode & 0o077) !== 0) return null
    return passwordFromFile(await readFile(path, 'utf8'), key)
  } catch {
    return null
  }
}
