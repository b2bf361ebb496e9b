import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { textForm } from '../cluster/values.ts'
import { compareCodePoints } from './code-points.ts'
import { DEFAULT_PARAMETERS, isEnforced } from './enforced-parameters.ts'
import { mergePatch } from './merge.ts'
import { DEFAULT_LOG_FORMAT } from './section-log.ts'
import { printYaml } from './yaml-print.ts'

export const FIXME = '#FIXME'

export interface Host {
  readonly name: string
  readonly address: string
}

/** What every generated configuration begins with, the environment over it (spec configuration.md 10.1). */
export function template(host: Host, environment: JsonObject): JsonObject {
  const own: JsonObject = {
    scope: FIXME,
    name: host.name,
    restapi: { listen: `${host.address}:8008`, connect_address: `${host.address}:8008` },
    log: {
      type: 'plain',
      level: 'INFO',
      traceback_level: 'ERROR',
      format: DEFAULT_LOG_FORMAT,
      max_queue_size: 1000,
    },
    postgresql: {
      data_dir: FIXME,
      listen: `${host.address}:5432`,
      connect_address: `${host.address}:5432`,
      bin_dir: '',
      authentication: {
        superuser: { username: 'postgres', password: FIXME },
        replication: { username: 'replicator', password: FIXME },
      },
    },
    tags: {
      failover_priority: 1,
      sync_priority: 1,
      noloadbalance: false,
      clonefrom: true,
      nostream: false,
    },
  }
  const merged = mergePatch(own, environment)
  const dcs = {
    ttl: 30,
    loop_wait: 10,
    retry_timeout: 10,
    postgresql: { use_slots: true, parameters: DEFAULT_PARAMETERS },
  }
  return mergePatch({ ...merged, bootstrap: { ...objectAt(merged, 'bootstrap'), dcs: null } }, { bootstrap: { dcs } })
}

/** Spec configuration.md 10.2. @param serverVersion e.g. 150018 */
export function sampleConfiguration(base: JsonObject, serverVersion: number): JsonObject {
  const method = serverVersion >= 100000 ? 'scram-sha-256' : 'md5'
  const postgresql = objectAt(base, 'postgresql')
  const authentication = objectAt(postgresql, 'authentication')
  const replication = objectAt(authentication, 'replication')['username']
  const rewind =
    serverVersion >= 110000 && !('rewind' in authentication)
      ? { rewind: { username: 'rewind_user', password: FIXME } }
      : {}
  const keep = serverVersion < 130000 ? { wal_keep_segments: 8 } : { wal_keep_size: '128MB' }
  const parameters = { ...keep, wal_level: serverVersion < 90600 ? 'hot_standby' : 'replica' }
  return mergePatch(base, {
    postgresql: {
      parameters: { password_encryption: method },
      pg_hba: [
        `host all all all ${method}`,
        `host replication ${typeof replication === 'string' ? replication : 'replicator'} all ${method}`,
      ],
      authentication: rewind,
    },
    bootstrap: { dcs: { postgresql: { use_pg_rewind: true, parameters } } },
  })
}

/** One row of pg_settings that is taken over. */
export interface ServerSetting {
  readonly name: string
  readonly value: string
}

/** What was found out about a running server (spec configuration.md 10.3). */
export interface RunningServer {
  readonly settings: readonly ServerSetting[]
  readonly superuser: JsonObject
  readonly port: string
  readonly binDir: string
  readonly pgHba: readonly string[]
  readonly pgIdent: readonly string[]
}

const STAYS_LOCAL = new Set(
  (
    'archive_command restore_command archive_cleanup_command recovery_end_command ssl_passphrase_command hba_file ' +
    'ident_file config_file'
  ).split(' '),
)

/** @param environment the document of `PATRONI_*` variables */
export function runningConfiguration(base: JsonObject, server: RunningServer, environment: JsonObject): JsonObject {
  const of = (name: string): string => server.settings.find((one) => one.name === name)?.value ?? ''
  const isPlaced = ({ name }: ServerSetting): boolean =>
    ['data_directory', 'cluster_name', 'listen_addresses', 'port'].includes(name)
  const rest = server.settings.filter((one) => !isPlaced(one))
  const entries = (settings: readonly ServerSetting[]): JsonObject =>
    Object.fromEntries(settings.map(({ name, value }) => [name, value]))
  const address = textForm(objectAt(base, 'postgresql')['connect_address'] ?? '').replace(/:\d+$/, '')
  const merged = mergePatch(base, {
    ...(of('cluster_name') === '' ? {} : { scope: of('cluster_name') }),
    postgresql: {
      data_dir: of('data_directory'),
      listen: `${of('listen_addresses')}:${of('port')}`,
      connect_address: `${address}:${server.port}`,
      bin_dir: server.binDir,
      parameters: entries(rest.filter(({ name }) => STAYS_LOCAL.has(name))),
      pg_hba: server.pgHba,
      ...(server.pgIdent.length > 0 ? { pg_ident: server.pgIdent } : {}),
    },
    bootstrap: { dcs: { postgresql: { parameters: entries(rest.filter(({ name }) => !STAYS_LOCAL.has(name))) } } },
  })
  const replication = objectAt(objectAt(objectAt(environment, 'postgresql'), 'authentication'), 'replication')
  const authentication = {
    superuser: server.superuser,
    replication: { username: FIXME, password: FIXME, ...replication },
  }
  return { ...merged, postgresql: { ...objectAt(merged, 'postgresql'), authentication } }
}

/** Settings that are asked of a server even if they have their default values. */
export function isAlwaysTaken(name: string): boolean {
  return isEnforced(name) || ['hba_file', 'ident_file', 'config_file', 'data_directory'].includes(name)
}

const SECTIONS =
  'scope namespace name log restapi ctl citus consul etcd etcd3 exhibitor kubernetes raft zookeeper bootstrap postgresql watchdog tags'
const BOOTSTRAP_COMMENT = `# The bootstrap configuration. Works only when the cluster is not yet initialized.
# If the cluster is already initialized, all changes in the \`bootstrap\` section are ignored!
`
const DCS_COMMENT = `  # This section is written into <dcs>:/<namespace>/<scope>/config when a new cluster is initialized, and later on it
  # is the dynamic configuration: change it with edit-config.
`

/** As the file is written: sections in their order, an empty line before each mapping (spec configuration.md 10.4). */
export function printGenerated(document: JsonObject): string {
  return SECTIONS.split(' ')
    .filter((section) => section in document)
    .map((section) => {
      const value = document[section] ?? null
      const lead = isObject(value) ? '\n' : ''
      return lead + (section === 'bootstrap' ? printBootstrap(value) : printYaml({ [section]: value }))
    })
    .join('')
}

function printBootstrap(value: Json): string {
  const { dcs, ...rest } = isObject(value) ? value : {}
  const first = ['loop_wait', 'retry_timeout', 'ttl']
  const ordered = Object.entries(isObject(dcs) ? dcs : {}).sort(([a], [b]) => {
    const rank = (key: string): number => (first.includes(key) ? first.indexOf(key) : first.length)
    return rank(a) - rank(b) || compareCodePoints(a, b)
  })
  const indented = (text: string, by: number): string => text.replace(/^(?=.)/gm, ' '.repeat(by))
  const parts = ordered.map(([key, one]) => indented(printYaml({ [key]: one }), 4)).join('')
  const others = Object.keys(rest).length > 0 ? indented(printYaml(rest), 2) : ''
  return `${BOOTSTRAP_COMMENT}bootstrap:\n${DCS_COMMENT}  dcs:\n${parts}${others}`
}

function objectAt(document: JsonObject, key: string): JsonObject {
  const value = document[key]
  return isObject(value) ? value : {}
}
