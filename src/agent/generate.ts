import { execFile } from 'node:child_process'
import { lookup } from 'node:dns/promises'
import { mkdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { promisify } from 'node:util'
import { isObject, type JsonObject } from '../cluster/json.ts'
import { later } from '../cluster/time.ts'
import { readEnvironment } from '../config/environment.ts'
import {
  FIXME,
  type Host,
  isAlwaysTaken,
  printGenerated,
  type RunningServer,
  runningConfiguration,
  type ServerSetting,
  sampleConfiguration,
  template,
} from '../config/generated.ts'
import { sqlConnector } from '../postgres/connection.ts'
import { parseConninfo } from '../postgres/conninfo.ts'
import { systemClock } from '../system/clock.ts'
import type { Arguments } from './arguments.ts'

const QUERY_MS = 10_000
const USER_KEYS =
  'user password sslmode sslcert sslkey sslpassword sslrootcert sslcrl sslcrldir gssencmode channel_binding sslnegotiation'
/** Of keys that older servers do not know. */
const SINCE: Readonly<Record<string, number>> = {
  gssencmode: 120000,
  channel_binding: 130000,
  sslpassword: 130000,
  sslcrldir: 140000,
  sslnegotiation: 170000,
}
const DSN_DEFAULTS = {
  sslmode: 'prefer',
  gssencmode: 'prefer',
  channel_binding: 'prefer',
  sslnegotiation: 'postgres',
}

/** A text for the operator, exit code 1. */
class GenerationError extends Error {}

/** `--generate-sample-config`, `--generate-config` (spec configuration.md 10). @returns the exit code */
export async function generateConfiguration(args: Arguments): Promise<number> {
  try {
    const environment = readEnvironment(process.env).document
    const base = template(await thisHost(), environment)
    const document =
      args.mode === 'sample'
        ? sampleConfiguration(base, await installedVersion(base))
        : runningConfiguration(base, await inspect(args.dsn, environment), environment)
    await write(args.configPath, printGenerated(document))
    return 0
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

async function write(path: string | null, text: string): Promise<void> {
  if (path === null) {
    process.stdout.write(text)
    return
  }
  await mkdir(dirname(path), { recursive: true })
  // It may hold passwords.
  await writeFile(path, text, { mode: 0o600 })
}

async function thisHost(): Promise<Host> {
  const name = hostname()
  try {
    const found = await lookup(name, { all: true })
    const chosen = found.find(({ family }) => family === 4) ?? found[0]
    if (!chosen) throw new Error('no address')
    return { name, address: chosen.family === 6 ? `[${chosen.address}]` : chosen.address }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    process.stderr.write(`warning: Failed to define the address of ${name}: ${reason}\n`)
    return { name: FIXME, address: FIXME }
  }
}

async function installedVersion(base: JsonObject): Promise<number> {
  const postgresql = isObject(base['postgresql']) ? base['postgresql'] : {}
  const names = isObject(postgresql['bin_name']) ? postgresql['bin_name'] : {}
  const name = typeof names['postgres'] === 'string' ? names['postgres'] : 'postgres'
  const binDir = typeof postgresql['bin_dir'] === 'string' ? postgresql['bin_dir'] : ''
  try {
    const { stdout } = await promisify(execFile)(binDir === '' ? name : join(binDir, name), ['--version'])
    const [, major = '0', minor = '0', patch = '0'] = /(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(stdout) ?? []
    return Number(major) >= 10
      ? Number(major) * 10_000 + Number(minor)
      : Number(major) * 10_000 + Number(minor) * 100 + Number(patch)
  } catch (error) {
    throw new GenerationError(
      `Failed to get postgres version: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

async function inspect(dsn: string | null, environment: JsonObject): Promise<RunningServer> {
  const given = dsn === null ? {} : parseConninfo(dsn)
  if (!given) throw new GenerationError('Failed to parse DSN string')
  const { env } = process
  const superuser = superuserOf(environment)
  const keywords: Record<string, string> = {}
  for (const key of USER_KEYS.split(' ')) {
    const variable = key === 'sslpassword' ? '' : (env[`PG${key.replaceAll('_', '').toUpperCase()}`] ?? '')
    const fallback = dsn === null ? '' : (DSN_DEFAULTS[key as keyof typeof DSN_DEFAULTS] ?? '')
    const configured = superuser[key === 'user' ? 'username' : key]
    const value = given[key] || variable || (typeof configured === 'string' ? configured : '') || fallback
    if (value !== '') keywords[key] = value
  }
  keywords['user'] ??= userInfo().username
  keywords['password'] ??= await askPassword(keywords['user'])
  const where: Record<string, string> = {
    host: given['host'] ?? env['PGHOST'] ?? 'localhost',
    port: given['port'] ?? env['PGPORT'] ?? '5432',
    dbname: given['dbname'] ?? env['PGDATABASE'] ?? 'postgres',
  }
  const connection = sqlConnector(systemClock).connection({ ...where, ...keywords })
  try {
    const rows = async (sql: string): Promise<readonly JsonObject[]> => {
      const deadline = later(systemClock.now(), QUERY_MS)
      const { signal, done } = systemClock.deadline(deadline)
      const outcome = await connection.query(sql, [], { deadline, signal }).finally(done)
      if (outcome.kind === 'rows') return outcome.rows as unknown as readonly JsonObject[]
      const reason = outcome.kind === 'error' ? outcome.message : outcome.reason
      throw new GenerationError(`Failed to establish PostgreSQL connection: ${reason}`)
    }
    const [about] = await rows(
      "SELECT current_setting('is_superuser') AS super, current_setting('server_version_num')::int AS version",
    )
    if (about?.['super'] !== 'on') throw new GenerationError('The provided user does not have superuser privilege')
    const version = Number(about['version'])
    const settings = settingsIn(await rows(SETTINGS))
    const { user = '', password = '', ...options } = keywords
    const known = Object.entries(options).filter(([key]) => version >= (SINCE[key] ?? 0))
    const of = (name: string): string => settings.find((one) => one.name === name)?.value ?? ''
    const dataDir = of('data_directory')
    return {
      settings,
      superuser: { username: user, password, ...Object.fromEntries(known) },
      port: given['port'] ?? env['PGPORT'] ?? of('port'),
      binDir: await binDirOf(dataDir),
      pgHba: of('hba_file') === join(dataDir, 'pg_hba.conf') ? await accessRules(of('hba_file'), version) : [],
      pgIdent: of('ident_file') === join(dataDir, 'pg_ident.conf') ? await identMaps(of('ident_file')) : [],
    }
  } finally {
    connection.close()
  }
}

/** `PATRONI_SUPERUSER_*`, used where neither the DSN nor `PG*` says anything. */
function superuserOf(environment: JsonObject): JsonObject {
  const names = ['postgresql', 'authentication', 'superuser']
  return names.reduce<JsonObject>((inner, name) => {
    const found = inner[name]
    return isObject(found) ? found : {}
  }, environment)
}

const SETTINGS = `SELECT name, pg_catalog.current_setting(name) AS value, source, context, category FROM pg_catalog.pg_settings ORDER BY name`
const SOURCES = ['configuration file', 'command line', 'environment variable']

function settingsIn(rows: readonly JsonObject[]): readonly ServerSetting[] {
  return rows.flatMap(({ name, value, source, context, category }) => {
    if (typeof name !== 'string' || typeof value !== 'string') return []
    const isSet =
      context !== 'internal' &&
      SOURCES.some((one) => one === source) &&
      category !== 'Write-Ahead Log / Recovery Target' &&
      value !== '(disabled)'
    return isSet || isAlwaysTaken(name) ? [{ name, value }] : []
  })
}

const RULES = ['local', 'host', 'hostssl', 'hostnossl', 'hostgssenc', 'hostnogssenc']
const INCLUDES = ['include', 'include_if_exists', 'include_dir']

async function accessRules(path: string, version: number): Promise<string[]> {
  const words = version >= 160000 ? [...RULES, ...INCLUDES] : RULES
  const lines = await linesOf(path, 'pg_hba.conf')
  return lines.filter((line) => words.includes(line.split(/\s+/)[0] ?? ''))
}

async function identMaps(path: string): Promise<string[]> {
  return (await linesOf(path, 'pg_ident.conf')).filter((line) => !line.startsWith('#'))
}

async function linesOf(path: string, name: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new GenerationError(`Failed to read ${name}: ${error.message}`)
  })
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

async function binDirOf(dataDir: string): Promise<string> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch((error: Error) => {
    throw new GenerationError(`Error while reading postmaster.pid file: ${error.message}`)
  })
  const pid = Number(text.split('\n')[0])
  if (!Number.isInteger(pid) || pid <= 0)
    throw new GenerationError('Failed to obtain postmaster pid from postmaster.pid file')
  const program = await readlink(`/proc/${pid}/exe`).catch(() => {
    throw new GenerationError("Obtained postmaster pid doesn't exist.")
  })
  return dirname(program)
}

async function askPassword(user: string): Promise<string> {
  if (!process.stdin.isTTY) return ''
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await prompt.question(`Please enter the user password for ${user}: `)
  } finally {
    prompt.close()
  }
}
