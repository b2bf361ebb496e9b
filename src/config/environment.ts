import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { parseBool, parseInteger, parseReal } from '../cluster/values.ts'
import { parseYaml } from './yaml.ts'

/** The `PATRONI_*` variables of a process, understood once at its start (spec configuration.md 4). */
export interface Environment {
  /** Merged over the configuration file. */
  readonly document: JsonObject
  /** Settings of sections that no variable creates by itself: used where the section exists. */
  readonly conditional: JsonObject
  /** Which variable each dotted key came from. */
  readonly origins: ReadonlyMap<string, string>
  /** Text of `PATRONI_CONFIGURATION`: a whole configuration for processes without a file. */
  readonly configuration: string | null
  /** Names that were recognised: the agent removes them from its environment so that no child inherits a secret. */
  readonly consumed: readonly string[]
  /** One line for each value that could not be read and was left out. Holds no values. */
  readonly warnings: readonly string[]
}

type VariableType =
  | 'text'
  | 'integer'
  | 'real'
  | 'boolean'
  | 'list'
  | 'dictionary'
  | 'format'
  | 'number or text'
  | 'flag or text'

interface Variable {
  readonly path: readonly string[]
  readonly type: VariableType
  /** Never creates its section. */
  readonly conditional?: true
}

const LIBPQ_USERS = ['superuser', 'replication', 'rewind']
const LIBPQ_KEYS =
  'username password sslmode sslcert sslkey sslpassword sslrootcert sslcrl sslcrldir gssencmode channel_binding sslnegotiation'

/** Variables with a meaning of their own (spec configuration.md 4.2), without the prefix. */
const NAMED: ReadonlyMap<string, Variable> = new Map([
  ...variables([], 'text', 'name namespace scope'),
  ...variables([], 'number or text', 'thread_pool_size thread_stack_size'),
  ...variables(['log'], 'text', 'type level traceback_level dateformat dir'),
  ...variables(['log'], 'format', 'format'),
  ...variables(['log'], 'dictionary', 'static_fields loggers'),
  ...variables(['log'], 'integer', 'max_queue_size file_size file_num mode'),
  ...variables(['log'], 'boolean', 'deduplicate_heartbeat_logs'),
  ...variables(
    ['restapi'],
    'text',
    'listen connect_address certfile keyfile keyfile_password cafile ciphers verify_client server_tokens',
  ),
  ...variables(['restapi'], 'list', 'allowlist'),
  ...variables(['restapi'], 'boolean', 'allowlist_include_members'),
  ...variables(['restapi'], 'integer', 'request_queue_size thread_pool_size'),
  ...variables(['restapi'], 'dictionary', 'http_extra_headers https_extra_headers'),
  ...credentials('restapi'),
  ...credentials('ctl'),
  ...variables(['ctl'], 'boolean', 'insecure'),
  ...variables(['ctl'], 'text', 'cacert certfile keyfile keyfile_password'),
  ...variables(['postgresql'], 'text', 'listen connect_address proxy_address config_dir data_dir pgpass bin_dir'),
  ...'pg_ctl initdb pg_controldata pg_basebackup postgres pg_isready pg_rewind'
    .split(' ')
    .map((tool) => variable(`POSTGRESQL_BIN_${tool}`, ['postgresql', 'bin_name', tool], 'text')),
  // Named so in the reference's documentation, though it never was read.
  variable('POSTGRESQL_BIN_IS_READY', ['postgresql', 'bin_name', 'pg_isready'], 'text'),
  ...LIBPQ_USERS.flatMap((user) =>
    LIBPQ_KEYS.split(' ').map((key) => variable(`${user}_${key}`, ['postgresql', 'authentication', user, key], 'text')),
  ),
  ...variables(['raft'], 'text', 'self_addr bind_addr data_dir password cacert cert key'),
  ...variables(['raft'], 'list', 'partner_addrs'),
  ...variables(
    ['raft'],
    'real',
    'min_timeout max_timeout connection_timeout append_entries_period connection_retry_time leader_fallback_timeout',
  ),
  ...variables(['citus'], 'integer', 'group'),
  ...variables(['citus'], 'text', 'database'),
  ...['etcd', 'etcd3'].flatMap((section) => variables([section], 'text', 'username password', true)),
  ...variables(['consul'], 'text', 'scheme', true),
  variable('RETRIABLE_HTTP_CODES', ['kubernetes', 'retriable_http_codes'], 'list', true),
])

/** Older names (spec configuration.md 3.14); the newer one wins. */
const LEGACY: Readonly<Record<string, string>> = {
  LOGLEVEL: 'LOG_LEVEL',
  LOGFORMAT: 'LOG_FORMAT',
  LOG_DATEFMT: 'LOG_DATEFORMAT',
}

/** Suffixes that are understood for any section name (spec configuration.md 4.3). */
const GENERIC: ReadonlyMap<string, VariableType> = new Map([
  ...types(
    'text',
    'HOST PROTOCOL SRV SRV_SUFFIX URL PROXY CACERT CERT KEY TOKEN DC CONSISTENCY SERVICE_CHECK_INTERVAL ' +
      'SERVICE_CHECK_TLS_SERVER_NAME NAMESPACE CONTEXT SCOPE_LABEL ROLE_LABEL POD_IP KEY_PASSWORD DATABASE ' +
      'LEADER_LABEL_VALUE FOLLOWER_LABEL_VALUE STANDBY_LEADER_LABEL_VALUE TMP_ROLE_LABEL GROUP',
  ),
  // A text "false" would switch TLS on: whatever reads as a boolean becomes one.
  ...types('flag or text', 'USE_SSL'),
  ...types('integer', 'PORT'),
  ...types('list', 'HOSTS PORTS CHECKS SERVICE_TAGS RETRIABLE_HTTP_CODES'),
  ...types('dictionary', 'LABELS SET_ACLS AUTH_DATA BOOTSTRAP_LABELS'),
  ...types('boolean', 'USE_PROXIES REGISTER_SERVICE USE_ENDPOINTS BYPASS_API_SERVICE VERIFY'),
])

const PREFIX = 'PATRONI_'

/** Understands the variables of a process. Pure: removing `consumed` from the process environment is the caller's part. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  const document = new Tree()
  const conditional = new Tree()
  const origins = new Map<string, string>()
  const consumed: string[] = []
  const warnings: string[] = []
  let configuration: string | null = null

  for (const name of Object.keys(env).sort()) {
    const text = env[name]
    if (!name.startsWith(PREFIX) || text === undefined) continue
    const short = name.slice(PREFIX.length)
    if (short === 'CONFIGURATION') {
      configuration = text === '' ? null : text
      consumed.push(name)
      continue
    }
    const modern = LEGACY[short]
    const named = NAMED.get(modern ?? short)
    const found = named ?? genericVariable(short)
    if (!found) continue
    consumed.push(name)
    const superseded = modern !== undefined && Boolean(env[PREFIX + modern])
    if (superseded || (named && text === '')) continue
    const value = parseVariable(text, found.type)
    if (value.kind === 'unreadable') warnings.push(`${name}: ${value.message}`)
    if (value.kind !== 'value') continue
    const target = found.conditional ? conditional : document
    target.set(found.path, value.value)
    origins.set(found.path.join('.'), name)
  }
  return { document: document.value(), conditional: conditional.value(), origins, configuration, consumed, warnings }
}

/** The variable that sets a dotted key, or `null`. */
export function variableFor(key: string): string | null {
  const named = [...NAMED].find(([, { path }]) => path.join('.') === key)
  if (named) return PREFIX + named[0]
  const [section = '', name = '', ...deeper] = key.split('.')
  const generic = `${section}_${name}`.toUpperCase()
  return deeper.length === 0 && genericVariable(generic)?.path.join('.') === key ? PREFIX + generic : null
}

function genericVariable(short: string): Variable | undefined {
  const cut = short.indexOf('_')
  if (cut <= 0) return undefined
  const suffix = short.slice(cut + 1)
  const section = short.slice(0, cut).toLowerCase()
  const type = GENERIC.get(suffix)
  // Citus has named variables only.
  return type && section !== 'citus' ? { path: [section, suffix.toLowerCase()], type } : undefined
}

type Parsed =
  | { readonly kind: 'value'; readonly value: Json }
  | { readonly kind: 'dropped' }
  | { readonly kind: 'unreadable'; readonly message: string }

function parseVariable(text: string, type: VariableType): Parsed {
  const given = (value: Json | undefined): Parsed =>
    value === undefined ? { kind: 'dropped' } : { kind: 'value', value }
  switch (type) {
    case 'text':
      return given(text)
    case 'integer':
      return given(parseInteger(text))
    case 'real':
      return given(parseReal(text))
    case 'boolean':
      return given(parseBool(text))
    case 'number or text':
      return given(parseInteger(text) ?? text)
    case 'flag or text':
      return given(parseBool(text) ?? text)
    case 'format':
      return /%\(\w+\)/.test(text) ? given(text) : parseCollection(text, 'list')
    case 'list':
    case 'dictionary':
      return parseCollection(text, type)
  }
}

/** Lists and mappings may be written without their outer brackets. */
function parseCollection(text: string, type: 'list' | 'dictionary'): Parsed {
  const trimmed = text.trim()
  if (trimmed === '') return { kind: 'dropped' }
  const bare = type === 'list' ? !trimmed.startsWith('-') && !trimmed.includes('[') : !trimmed.startsWith('{')
  const wrapped = type === 'list' ? `[${trimmed}]` : `{${trimmed}}`
  const yaml = parseYaml(bare ? wrapped : trimmed)
  if (yaml.kind === 'error')
    return {
      kind: 'unreadable',
      message: `Exception when parsing ${type === 'list' ? 'list' : 'dict'}: ${yaml.message}`,
    }
  return yaml.value === null ? { kind: 'dropped' } : { kind: 'value', value: yaml.value }
}

/** Adds what belongs to sections that exist in `document` already; what the document says itself stays. */
export function addConditional(document: JsonObject, conditional: JsonObject): JsonObject {
  const additions = Object.entries(conditional).flatMap(([section, extra]) => {
    const present = document[section]
    return isObject(present) && isObject(extra) ? [[section, { ...present, ...extra }] as const] : []
  })
  return additions.length === 0 ? document : { ...document, ...Object.fromEntries(additions) }
}

/** A document while it grows. */
class Tree {
  readonly #entries = new Map<string, Json | Tree>()

  set(path: readonly string[], value: Json): void {
    const [key = '', ...rest] = path
    if (rest.length === 0) {
      this.#entries.set(key, value)
      return
    }
    const next = this.#entries.get(key)
    const branch = next instanceof Tree ? next : new Tree()
    this.#entries.set(key, branch)
    branch.set(rest, value)
  }

  value(): JsonObject {
    return Object.fromEntries(
      Array.from(this.#entries, ([key, value]) => [key, value instanceof Tree ? value.value() : value]),
    )
  }
}

function variable(
  name: string,
  path: readonly string[],
  type: VariableType,
  conditional?: true,
): readonly [string, Variable] {
  return [name.toUpperCase(), { path, type, ...(conditional ? { conditional } : {}) }]
}

function variables(
  section: readonly string[],
  type: VariableType,
  keys: string,
  conditional?: true,
): (readonly [string, Variable])[] {
  return keys.split(' ').map((key) => variable([...section, key].join('_'), [...section, key], type, conditional))
}

function credentials(section: string): (readonly [string, Variable])[] {
  return ['username', 'password'].map((key) => variable(`${section}_${key}`, [section, 'authentication', key], 'text'))
}

function types(type: VariableType, suffixes: string): (readonly [string, VariableType])[] {
  return suffixes.split(' ').map((suffix) => [suffix, type])
}
