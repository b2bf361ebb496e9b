import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { addConditional, readEnvironment } from './environment.ts'

const document = (env: Readonly<Record<string, string>>): JsonObject => readEnvironment(env).document

test('4.2 every named variable lands at its key with its type', () => {
  const table: readonly (readonly [string, string, JsonObject])[] = [
    ['NAME', 'n1', { name: 'n1' }],
    ['NAMESPACE', '/x', { namespace: '/x' }],
    ['SCOPE', '010', { scope: '010' }],
    ['THREAD_POOL_SIZE', '8', { thread_pool_size: 8 }],
    ['THREAD_STACK_SIZE', '512kB', { thread_stack_size: '512kB' }],
    ['LOG_TYPE', 'json', { log: { type: 'json' } }],
    ['LOG_LEVEL', 'DEBUG', { log: { level: 'DEBUG' } }],
    ['LOG_TRACEBACK_LEVEL', 'DEBUG', { log: { traceback_level: 'DEBUG' } }],
    ['LOG_DATEFORMAT', '%Y', { log: { dateformat: '%Y' } }],
    ['LOG_DIR', '/l', { log: { dir: '/l' } }],
    ['LOG_FORMAT', '%(message)s', { log: { format: '%(message)s' } }],
    ['LOG_FORMAT', 'message, {asctime: t}', { log: { format: ['message', { asctime: 't' }] } }],
    ['LOG_STATIC_FIELDS', 'a: b, c: 1', { log: { static_fields: { a: 'b', c: 1 } } }],
    ['LOG_LOGGERS', '{patroni.ha: DEBUG}', { log: { loggers: { 'patroni.ha': 'DEBUG' } } }],
    ['LOG_MAX_QUEUE_SIZE', '10', { log: { max_queue_size: 10 } }],
    ['LOG_FILE_SIZE', '0x10', { log: { file_size: 16 } }],
    ['LOG_FILE_NUM', '2', { log: { file_num: 2 } }],
    ['LOG_MODE', '0644', { log: { mode: 420 } }],
    ['LOG_DEDUPLICATE_HEARTBEAT_LOGS', 'On', { log: { deduplicate_heartbeat_logs: true } }],
    ['RESTAPI_LISTEN', ':8008', { restapi: { listen: ':8008' } }],
    ['RESTAPI_ALLOWLIST', 'a, 10.0.0.0/8', { restapi: { allowlist: ['a', '10.0.0.0/8'] } }],
    ['RESTAPI_ALLOWLIST_INCLUDE_MEMBERS', '1', { restapi: { allowlist_include_members: true } }],
    ['RESTAPI_REQUEST_QUEUE_SIZE', '9', { restapi: { request_queue_size: 9 } }],
    ['RESTAPI_HTTP_EXTRA_HEADERS', 'X-A: b', { restapi: { http_extra_headers: { 'X-A': 'b' } } }],
    ['RESTAPI_USERNAME', 'u', { restapi: { authentication: { username: 'u' } } }],
    ['CTL_PASSWORD', 'p', { ctl: { authentication: { password: 'p' } } }],
    ['CTL_INSECURE', 'yes', { ctl: { insecure: true } }],
    ['CTL_KEYFILE_PASSWORD', 'k', { ctl: { keyfile_password: 'k' } }],
    ['POSTGRESQL_DATA_DIR', '/d', { postgresql: { data_dir: '/d' } }],
    ['POSTGRESQL_BIN_PG_CTL', 'c', { postgresql: { bin_name: { pg_ctl: 'c' } } }],
    ['POSTGRESQL_BIN_IS_READY', 'r', { postgresql: { bin_name: { pg_isready: 'r' } } }],
    ['SUPERUSER_USERNAME', 'su', { postgresql: { authentication: { superuser: { username: 'su' } } } }],
    ['REPLICATION_PASSWORD', '010', { postgresql: { authentication: { replication: { password: '010' } } } }],
    [
      'REWIND_CHANNEL_BINDING',
      'require',
      { postgresql: { authentication: { rewind: { channel_binding: 'require' } } } },
    ],
    ['RAFT_SELF_ADDR', 'h:1', { raft: { self_addr: 'h:1' } }],
    ['RAFT_PARTNER_ADDRS', "'h1:1','h2:2'", { raft: { partner_addrs: ['h1:1', 'h2:2'] } }],
    ['RAFT_MIN_TIMEOUT', '0.5', { raft: { min_timeout: 0.5 } }],
    ['CITUS_GROUP', '0', { citus: { group: 0 } }],
    ['CITUS_DATABASE', 'db', { citus: { database: 'db' } }],
  ]
  for (const [name, value, expected] of table)
    assert.deepEqual(document({ [`PATRONI_${name}`]: value }), expected, name)
})

test('4.3 a generic variable is understood for any section name', () => {
  const table: readonly (readonly [string, string, JsonObject])[] = [
    ['ETCD3_HOSTS', 'h1:2379,h2:2379', { etcd3: { hosts: ['h1:2379', 'h2:2379'] } }],
    ['ETCD3_HOSTS', '- a\n- b', { etcd3: { hosts: ['a', 'b'] } }],
    ['ETCD3_HOSTS', '[a, b]', { etcd3: { hosts: ['a', 'b'] } }],
    ['ETCD_HOST', '', { etcd: { host: '' } }],
    ['ETCD_SRV_SUFFIX', 'x', { etcd: { srv_suffix: 'x' } }],
    ['CONSUL_PORT', '8501', { consul: { port: 8501 } }],
    ['CONSUL_PORT', '10MB', {}],
    ['CONSUL_VERIFY', 'off', { consul: { verify: false } }],
    ['CONSUL_REGISTER_SERVICE', 'maybe', {}],
    ['KUBERNETES_LABELS', 'a: b, c: d', { kubernetes: { labels: { a: 'b', c: 'd' } } }],
    ['KUBERNETES_USE_ENDPOINTS', 'true', { kubernetes: { use_endpoints: true } }],
    ['KUBERNETES_RETRIABLE_HTTP_CODES', '500, 502', { kubernetes: { retriable_http_codes: [500, 502] } }],
    ['ZOOKEEPER_USE_SSL', 'false', { zookeeper: { use_ssl: false } }],
    ['ZOOKEEPER_SET_ACLS', '{p: [READ]}', { zookeeper: { set_acls: { p: ['READ'] } } }],
    ['POSTGRESQL_DATABASE', 'x', { postgresql: { database: 'x' } }],
    ['CITUS_HOST', 'x', {}],
    ['ETCD3_NONSENSE', 'x', {}],
    ['FOO_CACERT', 'x', { foo: { cacert: 'x' } }],
  ]
  for (const [name, value, expected] of table)
    assert.deepEqual(document({ [`PATRONI_${name}`]: value }), expected, name)
})

test('4.1 an empty named variable is ignored, an unknown one stays in the environment', () => {
  const read = readEnvironment({ PATRONI_NAME: '', PATRONI_NONSENSE: 'x', PATRONI_SCOPE: 's', HOME: '/h' })
  assert.deepEqual(read.document, { scope: 's' })
  assert.deepEqual(read.consumed, ['PATRONI_NAME', 'PATRONI_SCOPE'])
  assert.equal(read.origins.get('scope'), 'PATRONI_SCOPE')
})

test('4.1 a list that is no YAML is dropped with a warning that does not show it', () => {
  const read = readEnvironment({ PATRONI_ETCD3_HOSTS: '[::1]:2379' })
  assert.deepEqual(read.document, {})
  assert.equal(read.warnings.length, 1)
  assert.match(read.warnings[0] ?? '', /^PATRONI_ETCD3_HOSTS: Exception when parsing list/)
  assert.doesNotMatch(read.warnings[0] ?? '', /2379/)
})

test('3.14 the old log variables count where the new ones are missing', () => {
  assert.deepEqual(document({ PATRONI_LOGLEVEL: 'DEBUG', PATRONI_LOG_DATEFMT: '%H' }), {
    log: { level: 'DEBUG', dateformat: '%H' },
  })
  assert.deepEqual(document({ PATRONI_LOGLEVEL: 'DEBUG', PATRONI_LOG_LEVEL: 'ERROR' }), { log: { level: 'ERROR' } })
})

test('16 W6 credentials of etcd never create the section but are used wherever it exists', () => {
  const read = readEnvironment({
    PATRONI_ETCD3_USERNAME: 'u',
    PATRONI_ETCD3_PASSWORD: 'p',
    PATRONI_CONSUL_SCHEME: 'https',
  })
  assert.deepEqual(read.document, {})
  assert.deepEqual(addConditional({ etcd3: { host: 'h' } }, read.conditional), {
    etcd3: { host: 'h', username: 'u', password: 'p' },
  })
  assert.deepEqual(addConditional({}, read.conditional), {})
})

test('2.1 PATRONI_CONFIGURATION is kept apart and consumed', () => {
  const read = readEnvironment({ PATRONI_CONFIGURATION: 'a: 1' })
  assert.equal(read.configuration, 'a: 1')
  assert.deepEqual(read.consumed, ['PATRONI_CONFIGURATION'])
})
