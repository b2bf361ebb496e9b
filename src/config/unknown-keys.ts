import { isObject, type JsonObject } from '../cluster/json.ts'
import { isEnforced } from './enforced-parameters.ts'
import { validCitus } from './merged-document.ts'
import type { Finding } from './section.ts'

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '))

const TOP_LEVEL = words(
  'scope namespace name thread_pool_size thread_stack_size log restapi ctl bootstrap postgresql watchdog fence journal tags citus ' +
    'consul etcd etcd3 exhibitor kubernetes raft zookeeper',
)
const DYNAMIC_ONLY = words(
  'ttl loop_wait retry_timeout standby_cluster maximum_lag_on_failover maximum_lag_on_syncnode max_timelines_history ' +
    'check_timeline primary_start_timeout master_start_timeout primary_stop_timeout master_stop_timeout ' +
    'primary_race_backoff synchronous_mode synchronous_mode_strict synchronous_node_count failsafe_mode pause ' +
    'member_slots_ttl slots permanent_slots permanent_replication_slots ignore_slots',
)
const CREDENTIALS = words('username password')
const LIBPQ_USER = words(
  'username password sslmode sslcert sslkey sslpassword sslrootcert sslcrl sslcrldir gssencmode channel_binding ' +
    'sslnegotiation',
)
const ETCD = words(
  'host hosts url proxy srv discovery_srv srv_domain srv_suffix protocol port use_proxies username password cacert ' +
    'cert key',
)

/** Keys of each section that has a closed set of them, by path (spec configuration.md 3). */
const KNOWN: Readonly<Record<string, ReadonlySet<string>>> = {
  log: words(
    'type level traceback_level format dateformat static_fields max_queue_size dir mode file_num file_size loggers ' +
      'deduplicate_heartbeat_logs',
  ),
  restapi: words(
    'listen connect_address authentication auth certfile keyfile keyfile_password cafile ciphers verify_client ' +
      'allowlist allowlist_include_members http_extra_headers https_extra_headers request_queue_size server_tokens ' +
      'thread_pool_size',
  ),
  'restapi.authentication': CREDENTIALS,
  ctl: words('authentication auth insecure cacert certfile keyfile keyfile_password'),
  'ctl.authentication': CREDENTIALS,
  watchdog: words('mode device safety_margin driver'),
  fence: words('mode safety_margin'),
  journal: words('dir size'),
  citus: words('group database'),
  etcd: ETCD,
  etcd3: ETCD,
  consul: words(
    'host port url scheme token verify cacert cert key dc consistency checks register_service service_tags ' +
      'service_check_interval service_check_tls_server_name',
  ),
  zookeeper: words('hosts use_ssl cacert cert key key_password verify set_acls auth_data'),
  exhibitor: words('hosts port poll_interval'),
  kubernetes: words(
    'labels namespace scope_label role_label leader_label_value follower_label_value standby_leader_label_value ' +
      'tmp_role_label bootstrap_labels use_endpoints pod_ip ports bypass_api_service cacert retriable_http_codes context',
  ),
  raft: words(
    'self_addr bind_addr partner_addrs data_dir password min_timeout max_timeout connection_timeout ' +
      'append_entries_period connection_retry_time leader_fallback_timeout',
  ),
  'postgresql.authentication': words('superuser replication rewind'),
  'postgresql.authentication.superuser': LIBPQ_USER,
  'postgresql.authentication.replication': LIBPQ_USER,
  'postgresql.authentication.rewind': LIBPQ_USER,
  'postgresql.callbacks': words('on_start on_stop on_restart on_reload on_role_change'),
}

/** Keys of `postgresql` besides the names of replica methods, which have mappings. */
const POSTGRESQL = words(
  'listen connect_address proxy_address data_dir config_dir config_base_name bin_dir bin_name database pgpass ' +
    'use_unix_socket use_unix_socket_repl parameters parameters_primary parameters_replica parameters_standby_leader ' +
    'pg_hba pg_hba_primary pg_hba_replica pg_hba_standby_leader pg_ident pg_ident_primary pg_ident_replica ' +
    'pg_ident_standby_leader custom_conf recovery_conf authentication krbsrvname callbacks create_replica_methods ' +
    'create_replica_method basebackup rewind use_pg_rewind remove_data_directory_on_rewind_failure ' +
    'remove_data_directory_on_diverged_timelines pg_ctl_timeout pre_promote before_stop use_slots name scope ' +
    'retry_timeout citus replication superuser pg_rewind',
)

/** Whether a key at the top of the dynamic configuration means anything to a member. */
export function isKnownDynamicKey(key: string): boolean {
  return DYNAMIC_ONLY.has(key) || TOP_LEVEL.has(key)
}

/**
 * Keys of the local configuration that have no effect: misspelled ones, and those that count only in the dynamic
 * configuration (spec configuration.md 2.3, 16 W21). Such keys are kept; they are told so that a typing error is seen.
 */
export function unknownKeys(document: JsonObject): Finding[] {
  return [...topLevel(document), ...closedSections(document), ...citus(document), ...postgresql(document)]
}

function topLevel(document: JsonObject): Finding[] {
  return Object.keys(document).flatMap((key) => {
    if (TOP_LEVEL.has(key)) return []
    if (DYNAMIC_ONLY.has(key)) return [finding([key], DYNAMIC)]
    return [finding([key], UNKNOWN)]
  })
}

function closedSections(document: JsonObject): Finding[] {
  return Object.entries(KNOWN).flatMap(([dotted, known]) => {
    const path = dotted.split('.')
    const section = path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), document)
    if (!isObject(section)) return []
    return Object.keys(section)
      .filter((key) => !known.has(key))
      .map((key) => finding([...path, key], UNKNOWN))
  })
}

function citus(document: JsonObject): Finding[] {
  if (!('citus' in document) || validCitus(document['citus'])) return []
  return [finding(['citus'], 'is ignored: it needs an integer group and a string database')]
}

function postgresql(document: JsonObject): Finding[] {
  const section = document['postgresql']
  if (!isObject(section)) return []
  const parameters = section['parameters']
  const enforced = isObject(parameters) ? Object.keys(parameters).filter(isEnforced) : []
  const unknown = Object.entries(section).filter(([key, value]) => !POSTGRESQL.has(key) && !isObject(value))
  return [
    ...unknown.map(([key]) => finding(['postgresql', key], UNKNOWN)),
    ...('use_slots' in section ? [finding(['postgresql', 'use_slots'], DYNAMIC)] : []),
    ...enforced.map((name) => finding(['postgresql', 'parameters', name], DYNAMIC)),
  ]
}

const UNKNOWN = 'unknown key, it has no effect'
const DYNAMIC = 'has no effect here: it counts only in the dynamic configuration (edit-config)'

function finding(path: readonly string[], message: string): Finding {
  return { severity: 'warning', path, message }
}
