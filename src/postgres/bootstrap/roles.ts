import type { Config, PgUser } from '../../config/types.ts'
import { isSameUser } from '../credentials.ts'
import { majorOf, type ServerVersion } from '../version.ts'

/** The rewind user may read what pg_rewind reads, nothing else (spec postgres.md 4.4). */
const REWIND_FUNCTIONS: readonly string[] = [
  'pg_ls_dir(text, boolean, boolean)',
  'pg_stat_file(text, boolean)',
  'pg_read_binary_file(text)',
  'pg_read_binary_file(text, bigint, bigint, boolean)',
]

/** Settings that keep a password in a statement out of the server's logs; by session, put back afterwards. */
const QUIET: readonly (readonly [setting: string, value: string])[] = [
  ['log_statement', 'none'],
  ['log_min_duration_statement', '-1'],
  ['log_min_error_statement', 'log'],
  ['pg_stat_statements.track_utility', 'off'],
  ['pgaudit.log', 'none'],
]

export interface RoleStatements {
  /** Whom it is about: what a message may say instead of the statement. */
  readonly role: string
  readonly statements: readonly string[]
}

/** What is put into a statement for a password: a hash where the server takes one, else the password. */
export type Secret = (password: string) => string

export function superuserStatements(config: Config, secret: Secret): RoleStatements | null {
  const { superuser } = config.postgresql
  return superuser.username && superuser.password !== null ? createOrAlter(superuser, ['SUPERUSER'], secret) : null
}

/** The users that replicas need. @param version of the server */
export function replicaUserStatements(config: Config, version: ServerVersion, secret: Secret): RoleStatements[] {
  const { replication, rewind, superuser } = config.postgresql
  const wanted: RoleStatements[] = []
  if (replication.username) wanted.push(createOrAlter(replication, ['REPLICATION'], secret))
  if (rewind?.username && majorOf(version) >= 110000 && !isSameUser(rewind, superuser)) {
    const { role, statements } = createOrAlter(rewind, [], secret)
    const grants = REWIND_FUNCTIONS.map(
      (one) => `GRANT EXECUTE ON function pg_catalog.${one} TO ${quoteIdentifier(rewind.username ?? '')}`,
    )
    wanted.push({ role, statements: [...statements, ...grants] })
  }
  return wanted
}

/** What makes the session quiet, and what ends that. */
export const QUIET_STATEMENTS: readonly string[] = QUIET.map(
  ([setting, value]) => `SET ${setting} TO ${quoteLiteral(value)}`,
)
export const RESET_STATEMENTS: readonly string[] = QUIET.map(([setting]) => `RESET ${setting}`)

function createOrAlter(user: PgUser, options: readonly string[], secret: Secret): RoleStatements {
  const role = user.username ?? ''
  const login = options.includes('NOLOGIN') ? [] : ['LOGIN']
  const password = user.password === null ? [] : [`PASSWORD ${quoteLiteral(secret(user.password))}`]
  const clause = [...options, ...login, ...password].join(' ')
  const body = `BEGIN
  SET local synchronous_commit = 'local';
  PERFORM * FROM pg_catalog.pg_authid WHERE rolname = ${quoteLiteral(role)};
  IF FOUND THEN
    ALTER ROLE ${quoteIdentifier(role)} WITH ${clause};
  ELSE
    CREATE ROLE ${quoteIdentifier(role)} WITH ${clause};
  END IF;
END;`
  return { role, statements: [`DO ${dollarQuoted(body)}`] }
}

function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Right whatever standard_conforming_strings says. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`
  return text.includes('\\') ? ` E${quoted}` : quoted
}

/** Quotes with a tag that does not occur in the text: a password may hold any characters. */
function dollarQuoted(body: string): string {
  let tag = 'role'
  while (body.includes(`$${tag}$`)) tag += 'x'
  return `$${tag}$${body}$${tag}$`
}
