import { memberAddress } from '../../cluster/member-rows.ts'
import { defineCommand } from '../cli/command.ts'
import { choice, flag, hint, integer, optional, text, withDefault } from '../cli/options.ts'
import { CtlError, messageOf, UsageError } from '../errors.ts'
import { clusterName, readSnapshot } from '../reading.ts'
import { membersOfRole, ROLE_FILTERS, type RoleFilter } from '../roles.ts'
import type { Session } from '../session.ts'
import { allTargets, type Snapshot, type Target } from '../snapshot.ts'
import type { Keywords, SqlAnswer, SqlRows, SqlSession } from '../sql/client.ts'
import { jsonValue, printValue } from '../sql/values.ts'
import { printRecords, printTsv } from '../table/format.ts'
import { prettyTable } from '../table/pretty.ts'
import { askSecret } from '../term/prompts.ts'
import { printSeconds } from '../time-text.ts'
import { WATCH_OPTIONS, watched } from '../watch.ts'

const FILE = text('--file, -f', 'Execute the SQL commands from this file; - for standard input', 'FILENAME')

/** Spec ctl.md 8.4. */
export default defineCommand({
  description: 'Run SQL on a member of the cluster.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: {
    group: integer('--group', 'Citus group'),
    format: withDefault(text('--format', 'Output format (pretty, tsv, json, yaml, yml)'), 'tsv'),
    file: FILE,
    password: flag('--password', 'force password prompt'),
    username: text('-U, --username', 'database user name'),
    database: text('-d, --dbname', 'database name to connect to'),
    command: text('--command, -c', 'The SQL commands to execute'),
    delimiter: withDefault(text('--delimiter', 'The column delimiter'), '\t'),
    role: choice('--role, -r', ROLE_FILTERS, 'The role of the query'),
    member: text('--member, -m', 'Query a specific member'),
    ...WATCH_OPTIONS,
  },
  async run(session, args, options) {
    const { file, command, role, member } = options
    if (role !== null && member !== null) throw new CtlError('--role and --member are mutually exclusive options')
    if (file !== null && command !== null) throw new CtlError('--file and --command are mutually exclusive options')
    const sql = file === null ? command : await readSql(session, file)
    if (sql === null) throw new CtlError('You need to specify either --command or --file')
    const password = options.password ? await askSecret(session.terminal, 'Password') : null
    const login: Keywords = {
      ...(options.username === null ? {} : { user: options.username }),
      ...(options.database === null ? {} : { dbname: options.database }),
      ...(password === null ? {} : { password }),
    }
    const cluster = clusterName(session, args.cluster)
    const render = async (): Promise<string> => {
      const snapshot = await readSnapshot(session, cluster, options.group)
      const answer = await ask(session, candidatesOf(snapshot, role, member), { role, member, sql, login })
      if (answer.kind === 'row') session.noteFailure()
      // Formats for programs have no place for the message.
      if (answer.kind === 'row' && !['tsv', 'pretty'].includes(options.format))
        session.log.warning(answer.fields.at(-1) ?? '')
      return printed(answer, options.format, options.delimiter)
    }
    await watched(session, options, render, { clears: false })
  },
})

async function readSql(session: Session, path: string): Promise<string> {
  try {
    return path === '-' ? await session.terminal.readAll() : await session.tools.readFile(path)
  } catch (error) {
    throw new UsageError(`Invalid value for ${hint(FILE)}: ${messageOf(error)}`)
  }
}

function candidatesOf(snapshot: Snapshot, role: RoleFilter | null, member: string | null): Target[] {
  return member === null
    ? membersOfRole(snapshot, role ?? 'leader')
    : allTargets(snapshot).filter(({ name }) => name === member)
}

interface Question {
  readonly role: RoleFilter | null
  readonly member: string | null
  readonly sql: string
  readonly login: Keywords
}

/** What went wrong is a row as well: a time and a text, without names of columns. */
type Answer = SqlRows | { readonly kind: 'row'; readonly fields: readonly string[] }

/** Asks the first candidate that can be reached and is what was asked for. */
async function ask(session: Session, candidates: readonly Target[], question: Question): Promise<Answer> {
  const row = (message: string): Answer => ({ kind: 'row', fields: [printSeconds(session.clock.wallMs()), message] })
  let failure: string | null = null
  for (const candidate of candidates) {
    const { host, port } = memberAddress(candidate.member)
    if (host === null || port === null) continue
    const address = { host, port: String(port), fallback_application_name: 'Patroni ctl', connect_timeout: '5' }
    const connected = await session.sql.connect({ ...question.login, ...address })
    if (connected.kind === 'failed') {
      failure ??= errorText(connected.sqlState, connected.message)
      continue
    }
    try {
      if (!(await isWanted(connected.session, question.role))) continue
      const answer = await connected.session.run(question.sql)
      // The row has the code alone; what the server said is for people.
      if (answer.kind === 'failed' && answer.sqlState !== null) session.log.warning(answer.message)
      return answer.kind === 'rows' ? answer : row(answerText(answer))
    } finally {
      connected.session.close()
    }
  }
  return row(failure ?? nobody(question))
}

/** The store may be behind: the server itself says which of the two it is. */
async function isWanted(sql: SqlSession, role: RoleFilter | null): Promise<boolean> {
  if (role === null || role === 'leader' || role === 'any') return true
  const answer = await sql.run('SELECT pg_catalog.pg_is_in_recovery()')
  return answer.kind === 'rows' && answer.rows[0]?.[0] === (role === 'primary' ? 'f' : 't')
}

function answerText(answer: Exclude<SqlAnswer, SqlRows>): string {
  return answer.kind === 'failed' ? errorText(answer.sqlState, answer.message) : errorText(null, 'no results to fetch')
}

function errorText(sqlState: string | null, message: string): string {
  return `ERROR, SQLSTATE: ${sqlState ?? message.replaceAll('\n', ' ')}`
}

function nobody({ role, member }: Question): string {
  if (member !== null) return `No connection to member ${member} is available`
  return role === null ? 'No connection is available' : `No connection to role '${role}' is available`
}

async function printed(answer: Answer, format: string, delimiter: string): Promise<string> {
  switch (format) {
    case 'pretty':
      return answer.kind === 'row'
        ? prettyTable(['Field 1', 'Field 2'].map(left), [answer.fields])
        : prettyTable(
            answer.columns.map(({ name }) => left(name)),
            texts(answer),
          )
    case 'tsv':
      return answer.kind === 'row'
        ? `${answer.fields.join(delimiter)}\n`
        : printTsv(
            answer.columns.map(({ name }) => name),
            texts(answer),
            delimiter,
          )
    case 'json':
    case 'yaml':
    case 'yml':
      return printRecords(format, answer.kind === 'row' ? [{}] : records(answer))
    default:
      return ''
  }
}

function left(header: string): { readonly header: string; readonly align: 'left' } {
  return { header, align: 'left' }
}

function texts({ columns, rows }: SqlRows): string[][] {
  return rows.map((row) => row.map((value, i) => printValue(value, columns[i]?.typeOid ?? 0)))
}

function records({ columns, rows }: SqlRows) {
  return rows.map((row) =>
    Object.fromEntries(columns.map(({ name, typeOid }, i) => [name, jsonValue(row[i] ?? null, typeOid)])),
  )
}
