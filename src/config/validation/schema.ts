import { isIPv4, isIPv6 } from 'node:net'
import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import { KEYS } from '../keys/all.ts'
import { RESERVED_NAME } from '../local.ts'
import { STORE_KINDS } from '../section-store.ts'
import {
  boolean,
  booleanLike,
  both,
  type Check,
  type Context,
  dictionary,
  either,
  type Issue,
  integer,
  issue,
  type Key,
  list,
  mapping,
  oneOf,
  real,
  string,
  text,
  whole,
  wrong,
} from './check.ts'
import { schemaOf, withKey } from './json-schema.ts'
import { address, listen, reachable, reachableHosts } from './network.ts'
import { binary, binDir, dataDir } from './server-files.ts'

const M = 2147483647
const needed = (check: Check): Key => ({ check, mandatory: true })
const strings = list(string)
const stringsOrMappings = list(either(string, dictionary))
const port = whole(0, 65535, { strict: true })
const all = (check: Check, keys: string): Record<string, Check> =>
  Object.fromEntries(keys.split(' ').map((key) => [key, check]))

const log = mapping({
  type: oneOf(['plain', 'json']),
  level: oneOf(['DEBUG', 'INFO', 'WARN', 'WARNING', 'ERROR', 'FATAL', 'CRITICAL']),
  traceback_level: oneOf(['DEBUG', 'ERROR'], { anyCase: true }),
  format: logFormat,
  ...all(string, 'dateformat dir'),
  ...all(dictionary, 'static_fields loggers'),
  ...all(integer, 'max_queue_size file_num file_size'),
  mode: whole(0, 511, { strict: true }),
  deduplicate_heartbeat_logs: boolean,
})

function logFormat(value: Json): readonly Issue[] {
  if (typeof value === 'string') return []
  if (!Array.isArray(value)) return wrong(value, 'Should be a string or a list')
  const items = value as readonly Json[]
  if (items.length === 0) return wrong(value, 'should contain at least one item')
  const fits = (item: Json): boolean =>
    typeof item === 'string' || (isObject(item) && Object.values(item).every((name) => typeof name === 'string'))
  return items.every(fits) ? [] : wrong(value, 'each item should be a string or a dictionary with string values')
}

const ctl = mapping({ insecure: boolean, ...all(string, 'cacert certfile keyfile keyfile_password') })

const restapi = mapping({
  thread_pool_size: whole(5, M, { strict: true }),
  listen: needed(listen({})),
  connect_address: needed(address),
  authentication: mapping({ username: needed(string), password: needed(string) }),
  ...all(string, 'certfile keyfile keyfile_password cafile ciphers'),
  verify_client: oneOf(['none', 'optional', 'required']),
  allowlist: strings,
  allowlist_include_members: boolean,
  ...all(dictionary, 'http_extra_headers https_extra_headers'),
  request_queue_size: whole(0, 4096, { strict: true }),
  server_tokens: oneOf(['original', 'minimal', 'productonly'], { anyCase: true }),
})

const serverSettings: Record<string, Check> = {
  ...all(strings, 'pg_hba pg_ident'),
  pg_ctl_timeout: whole(0),
  use_pg_rewind: boolean,
  ...all(stringsOrMappings, 'rewind basebackup'),
}

const bootstrap = mapping({
  dcs: needed(
    mapping({
      ttl: whole(20),
      loop_wait: whole(1),
      retry_timeout: whole(3),
      maximum_lag_on_failover: whole(0),
      maximum_lag_on_syncnode: whole(-1),
      member_slots_ttl: whole(0, Number.POSITIVE_INFINITY, { unit: 's' }),
      primary_start_timeout: whole(0),
      primary_stop_timeout: whole(0),
      synchronous_node_count: whole(1),
      synchronous_mode: booleanLike('invalid value for synchronous_mode', 'quorum'),
      synchronous_mode_strict: boolean,
      postgresql: mapping({
        parameters: mapping({
          max_connections: whole(1, 262143),
          max_locks_per_transaction: whole(10, M),
          ...all(
            whole(0, 262143),
            'max_prepared_transactions max_replication_slots max_wal_senders max_worker_processes',
          ),
        }),
        use_slots: boolean,
        ...serverSettings,
      }),
      standby_cluster: mapping(
        {
          host: string,
          port,
          restore_command: string,
          primary_slot_name: string,
          create_replica_methods: strings,
          ...all(string, 'archive_cleanup_command recovery_min_apply_delay'),
        },
        ['host', 'port', 'restore_command'],
      ),
    }),
  ),
  initdb: stringsOrMappings,
  method: string,
})

const etcd = mapping(
  {
    host: reachable(2379),
    hosts: reachableHosts(2379),
    ...all(string, 'srv srv_suffix url proxy protocol username password cacert cert key'),
  },
  ['host', 'hosts', 'srv', 'srv_suffix', 'url', 'proxy'],
)

const podIp = text((value) => {
  if (isIPv4(value) || isIPv6(value)) return null
  return `Is not a valid ${value.includes(':') ? 'ipv6' : 'ipv4'} address`
})

const STORES: Readonly<Record<(typeof STORE_KINDS)[number], Check>> = {
  consul: mapping(
    {
      host: reachable(8500),
      url: string,
      port,
      ...all(string, 'scheme token cacert cert key dc service_check_interval service_check_tls_server_name'),
      ...all(boolean, 'verify register_service'),
      ...all(strings, 'checks service_tags'),
      consistency: oneOf(['default', 'consistent', 'stale']),
    },
    ['host', 'url'],
  ),
  etcd,
  etcd3: etcd,
  exhibitor: mapping({
    hosts: needed(strings),
    port: needed(port),
    poll_interval: whole(1, M, { strict: true }),
  }),
  kubernetes: mapping({
    labels: needed(dictionary),
    ...all(boolean, 'bypass_api_service use_endpoints'),
    ...all(
      string,
      'namespace scope_label role_label leader_label_value follower_label_value standby_leader_label_value ' +
        'tmp_role_label cacert',
    ),
    pod_ip: podIp,
    ports: list(mapping({ name: needed(string), port: needed(port) })),
    retriable_http_codes: either(integer, list(integer)),
    bootstrap_labels: dictionary,
  }),
  raft: mapping({
    self_addr: needed(address),
    bind_addr: listen({}),
    partner_addrs: needed(list(reachable(1), 'an array', true)),
    ...all(string, 'data_dir password cacert cert key'),
    ...all(
      real((value) => value > 0),
      'min_timeout max_timeout connection_timeout append_entries_period leader_fallback_timeout',
    ),
    connection_retry_time: real((value) => value >= 0),
  }),
  zookeeper: mapping({
    hosts: needed(reachableHosts(2181)),
    ...all(boolean, 'use_ssl verify'),
    ...all(string, 'cacert cert key key_password'),
    ...all(dictionary, 'set_acls auth_data'),
  }),
}

const user = mapping({ username: needed(string), password: string })

const postgresql = mapping({
  listen: needed(listen({ defaultPort: 5432, severalHosts: true })),
  connect_address: needed(address),
  proxy_address: address,
  authentication: needed(mapping({ replication: needed(user), superuser: needed(user), rewind: user })),
  data_dir: needed(dataDir),
  bin_name: mapping(all(binary, 'pg_ctl initdb pg_controldata pg_basebackup postgres pg_isready pg_rewind')),
  bin_dir: { check: binDir, always: true },
  parameters: mapping({ unix_socket_directories: string }),
  ...serverSettings,
})

const watchdog = mapping({
  mode: (value) => {
    if (typeof value !== 'string' && typeof value !== 'boolean')
      return [issue(value, "didn't pass validation: expected type is not a string", 'type')]
    return value === false || ['off', 'automatic', 'required'].includes(String(value)) ? [] : wrong(value)
  },
  device: string,
  safety_margin: whole(-1, M, { strict: true }),
})

const tags = both(
  (value) =>
    [
      ['nofailover', 'failover_priority'],
      ['nosync', 'sync_priority'],
    ].flatMap((pair): Issue[] => {
      if (!isObject(value) || !pair.every((tag) => tag in value)) return []
      const message = `Multiple of (${pair.map((tag) => `'${tag}'`).join(', ')}) provided`
      return [{ path: [], shown: '', message, kind: 'value' }]
    }),
  mapping({
    ...all(boolean, 'nofailover nosync clonefrom noloadbalance nostream'),
    ...all(whole(0, M, { strict: true }), 'failover_priority sync_priority'),
    replicatefrom: string,
  }),
)

const beforeStores = mapping({
  name: needed(text((name) => (name === RESERVED_NAME ? 'Wrong value' : null))),
  scope: needed(string),
  thread_pool_size: whole(5, M, { strict: true }),
  thread_stack_size: (value) => {
    if (!Number.isInteger(value)) return [issue(value, 'is not an integer', 'type')]
    return Number(value) >= 65536 && Number(value) % 65536 === 0 ? [] : wrong(value)
  },
  log,
  ctl,
  restapi: needed(restapi),
  bootstrap,
})

const afterStores = mapping({
  citus: mapping({ database: needed(string), group: needed(whole(0, M, { strict: true })) }),
  postgresql: needed(postgresql),
  watchdog,
  tags,
})

/** Everything that is wrong with a local configuration, in the order of the table (spec configuration.md 9.3). */
export async function configurationIssues(document: JsonObject, context: Context): Promise<readonly Issue[]> {
  const stores = mapping(STORES, [...STORE_KINDS])
  return [
    ...(await beforeStores(document, context)),
    ...(await stores(document, context)),
    ...(await afterStores(document, context)),
  ]
}

/** The same as a JSON Schema for editors; what depends on the machine (files, ports) is left to `--validate-config`. */
export function configurationSchema(): JsonObject {
  const parts = [beforeStores, mapping(STORES, [...STORE_KINDS]), afterStores].map(schemaOf)
  const keysOf = (part: JsonObject): JsonObject => (isObject(part['properties']) ? part['properties'] : {})
  const required = parts.flatMap((part) =>
    Array.isArray(part['required']) ? (part['required'] as readonly Json[]) : [],
  )
  const [, stores] = parts
  const checked: JsonObject = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of a member (patroni.yml)',
    ...(stores?.['anyOf'] === undefined ? {} : { anyOf: stores['anyOf'] }),
    type: 'object',
    properties: Object.assign({}, ...parts.map(keysOf)) as JsonObject,
    required,
  }
  return KEYS.filter(({ path }) => !path.includes('<')).reduce(withKey, checked)
}
