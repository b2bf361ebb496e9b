import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { type EffectiveOutcome, effectiveConfig } from './effective.ts'
import { readEnvironment } from './environment.ts'
import { forRole } from './for-role.ts'
import type { LocalConfiguration } from './local.ts'
import { printProblem } from './local.ts'
import { mergePatch } from './merge.ts'
import type { Config, Problem } from './types.ts'
import { parseYaml } from './yaml.ts'

const MINIMAL = `
name: n1
scope: batman
restapi: {listen: '127.0.0.1:8008'}
etcd3: {host: 'h:2379'}
postgresql:
  listen: 127.0.0.1:5432
  data_dir: data/n1
  authentication:
    replication: {username: repl, password: r}
    superuser: {username: su, password: 12, sslmode: require}
`
const PLACE = { cwd: '/work', home: '/home/p' }

function local(text: string, base = MINIMAL): LocalConfiguration {
  const yaml = (source: string) => {
    const parsed = parseYaml(source)
    assert.equal(parsed.kind, 'document')
    return parsed.kind === 'document' && isObject(parsed.value)
      ? { parsed, document: parsed.value }
      : assert.fail(source)
  }
  const sources = [base, text]
    .filter((one) => one.trim() !== '')
    .map((one, i) => {
      const { parsed, document } = yaml(one)
      const path = i === 0 ? 'patroni.yml' : 'more.yml'
      return {
        origin: { kind: 'file' as const, path },
        document,
        lineOf: (key: readonly (string | number)[]) => parsed.lineOf(key),
      }
    })
  const document = sources.reduce<JsonObject>((all, source) => mergePatch(all, source.document), {})
  return { document, sources, environment: readEnvironment({}) }
}

function build(text: string, dynamic: JsonObject = {}, previous: Config | null = null): EffectiveOutcome {
  return effectiveConfig({ local: local(text), dynamic, previous, place: PLACE })
}

function config(text: string, dynamic: JsonObject = {}): Config {
  const outcome = build(text, dynamic)
  if (outcome.kind === 'broken') assert.fail(outcome.problems.map(printProblem).join('; '))
  return outcome.config
}

function warnings(text: string, dynamic: JsonObject = {}): readonly string[] {
  const outcome = build(text, dynamic)
  return outcome.kind === 'ok' ? outcome.warnings.map(printProblem) : assert.fail('broken')
}

function at(document: Json | undefined, path: string): Json | undefined {
  return path.split('.').reduce<Json | undefined>((value, key) => (isObject(value) ? value[key] : undefined), document)
}

test('2.3 the example of the specification comes out as described', () => {
  const text = 'ttl: 99\npostgresql: {use_slots: false, parameters: {max_connections: 500, work_mem: 5MB}}'
  const { document, postgresql } = config(text)
  assert.equal(document['ttl'], 30)
  assert.equal(postgresql.useSlots, true)
  assert.equal(postgresql.parameters['max_connections'], 100)
  assert.equal(postgresql.parameters['work_mem'], '5MB')
})

test('2.3 precedence: default, then dynamic, then local; some keys count in one place only', () => {
  const dynamic: JsonObject = {
    ttl: '40',
    postgresql: {
      use_slots: false,
      use_pg_rewind: true,
      listen: 'evil:1',
      authentication: { superuser: { username: 'evil' } },
      parameters: { Work_Mem: '1MB', max_connections: '200', shared_buffers: '1GB' },
      pg_hba: ['a'],
      recovery_conf: { restore_command: 'dyn' },
    },
    standby_cluster: { host: 'h', nonsense: 1 },
    synchronous_mode: true,
    log: { level: 'DEBUG' },
  }
  const result = config(
    'postgresql: {parameters: {work_mem: 5MB, shared_buffers: ~, MAX_CONNECTIONS: 9}, pg_hba: [b]}',
    dynamic,
  )
  const table: readonly (readonly [string, Json | undefined])[] = [
    ['ttl', 40],
    ['loop_wait', 10],
    ['synchronous_mode', undefined],
    ['log.level', undefined],
    ['postgresql.use_slots', false],
    ['postgresql.use_pg_rewind', true],
    ['postgresql.listen', '127.0.0.1:5432'],
    ['postgresql.authentication.superuser.username', 'su'],
    ['postgresql.parameters.work_mem', '5MB'],
    ['postgresql.parameters.Work_Mem', undefined],
    ['postgresql.parameters.max_connections', 200],
    ['postgresql.parameters.MAX_CONNECTIONS', undefined],
    ['postgresql.parameters.shared_buffers', undefined],
    ['postgresql.parameters.wal_level', 'hot_standby'],
    ['postgresql.parameters.wal_keep_size', undefined],
    ['postgresql.recovery_conf.restore_command', 'dyn'],
    ['postgresql.name', 'n1'],
    ['postgresql.scope', 'batman'],
    ['postgresql.retry_timeout', 10],
    ['standby_cluster.host', 'h'],
    ['standby_cluster.port', ''],
    ['standby_cluster.nonsense', undefined],
  ]
  for (const [path, expected] of table) assert.deepEqual(at(result.document, path), expected, path)
  assert.deepEqual(result.postgresql.pgHba, ['b'])
  assert.deepEqual(result.dynamic['synchronous_mode'], true)
  assert.equal(result.timing.ttl, 40)
})

test('3.13 all mandatory keys that are missing are told together', () => {
  const outcome = effectiveConfig({
    local: local('restapi: {authentication: {username: u}}', 'log: {level: INFO}'),
    dynamic: {},
    previous: null,
    place: PLACE,
  })
  assert.equal(outcome.kind, 'broken')
  const problems = outcome.kind === 'broken' ? outcome.problems.map(printProblem) : []
  assert.deepEqual(problems.toSorted(), [
    'Can not find suitable configuration of distributed configuration store\n' +
      'Available implementations: consul, etcd, etcd3, exhibitor, kubernetes, raft, zookeeper',
    'name: is not defined.',
    'postgresql.authentication.replication.username: is not defined.',
    'postgresql.data_dir: is not defined.',
    'postgresql.listen: is not defined.',
    'restapi.authentication.password: is not defined.',
    'restapi.listen: is not defined.',
    'scope: is not defined.',
  ])
})

test('a wrong value is told with file, line and key', () => {
  const table: readonly (readonly [string, RegExp])[] = [
    ['log:\n  level: LOUD', /^more\.yml:2: log\.level: is not a log level/],
    ['log: {max_queue_size: big}', /^more\.yml:1: log\.max_queue_size: is not an integer/],
    [
      'restapi: {listen: localhost}',
      /: Invalid "restapi" config: expected <HOST>:<PORT> for "listen", but got "localhost"$/,
    ],
    ['postgresql: {parameters: [a]}', /^more\.yml:1: postgresql\.parameters: is not a dictionary$/],
    ['postgresql: text', /^more\.yml:1: postgresql: is not a dictionary$/],
  ]
  for (const [text, expected] of table) {
    const outcome = build(text)
    assert.equal(outcome.kind, 'broken', text)
    assert.match(outcome.kind === 'broken' ? printProblem(outcome.problems[0] as Problem) : '', expected)
  }
})

test('5.4 a dynamic document that is rejected leaves the last accepted one in force, but its global keys count', () => {
  const first = config('', { ttl: 40, postgresql: { parameters: { work_mem: '1MB' } } })
  const table: readonly (readonly [JsonObject, string])[] = [
    [{ ttl: null, pause: true }, 'ttl=None: a whole number of seconds is expected'],
    [{ ttl: '30s', pause: true }, 'ttl=30s: a whole number of seconds is expected'],
    [{ postgresql: { parameters: [], use_slots: false }, pause: true }, ''],
    [{ postgresql: { parameters: ['a'] }, pause: true }, 'postgresql.parameters is not a dictionary'],
    [{ postgresql: 'x', pause: true }, 'postgresql is not a dictionary'],
    [{ standby_cluster: 'x', pause: true }, 'standby_cluster is not a dictionary'],
  ]
  for (const [dynamic, reason] of table) {
    const outcome = effectiveConfig({ local: local(''), dynamic, previous: first, place: PLACE })
    assert.equal(outcome.kind, 'ok')
    if (outcome.kind !== 'ok') continue
    assert.equal(outcome.rejected ?? '', reason)
    assert.equal(outcome.config.dynamic['pause'], true)
    if (reason === '') continue
    assert.equal(outcome.config.timing.ttl, 40)
    assert.equal(outcome.config.postgresql.parameters['work_mem'], '1MB')
  }
})

test('5.3 adjusted timings are stored in the document that is cached', () => {
  const table: readonly (readonly [JsonObject, JsonObject])[] = [
    [{ ttl: 10 }, { ttl: 20, loop_wait: 1, retry_timeout: 9 }],
    [
      { ttl: 30, loop_wait: 20 },
      { ttl: 30, loop_wait: 10 },
    ],
    [
      { ttl: 20, retry_timeout: 12 },
      { ttl: 20, loop_wait: 1, retry_timeout: 9 },
    ],
    [
      { ttl: '25', retry_timeout: '2' },
      { ttl: '25', retry_timeout: 3 },
    ],
    [{ x: 1 }, { x: 1 }],
  ]
  for (const [given, expected] of table) assert.deepEqual(config('', given).dynamic, expected)
  assert.deepEqual(warnings('', { ttl: 10 }), [
    "ttl=10 can't be smaller than 20, adjusting...",
    'Violated the rule "loop_wait + 2*retry_timeout <= ttl", where ttl=20. Adjusting loop_wait from 10 to 1 and retry_timeout from 10 to 9',
  ])
})

test('6.1 an unacceptable value of an enforced parameter becomes the default', () => {
  const table: readonly (readonly [string, Json, Json | undefined, string | null])[] = [
    ['max_connections', 24, 100, '100'],
    ['max_connections', '64.4', 64, null],
    ['max_wal_senders', 'many', 10, '10'],
    ['wal_level', 'minimal', 'hot_standby', 'hot_standby'],
    ['wal_level', 'LOGICAL', 'LOGICAL', null],
    ['hot_standby', 'off', 'on', 'on'],
    ['hot_standby', true, true, null],
    ['wal_keep_size', '1GB', '1GB', null],
    ['wal_keep_size', '1MB', '128MB', '128MB'],
    ['wal_keep_segments', 0, 8, '8'],
    ['wal_log_hints', 'maybe', 'on', 'on'],
    ['track_commit_timestamp', 'yes', 'yes', null],
    ['max_locks_per_transaction', 31, 64, '64'],
    ['max_replication_slots', 3, 10, '10'],
    ['max_worker_processes', 1, 8, '8'],
    ['max_prepared_transactions', -1, 0, '0'],
    ['port', 5433, undefined, 'None'],
    ['Cluster_Name', 'x', undefined, 'None'],
  ]
  for (const [name, value, expected, fallback] of table) {
    const dynamic: JsonObject = { postgresql: { parameters: { [name]: value } } }
    assert.deepEqual(config('', dynamic).postgresql.parameters[name], expected, `${name}=${JSON.stringify(value)}`)
    const told = warnings('', dynamic)
    assert.deepEqual(told.length, fallback === null ? 0 : 1)
    if (fallback !== null) assert.match(told[0] ?? '', new RegExp(`failed validation, defaulting to ${fallback}$`))
  }
})

test('3.6 and 14.1 the PostgreSQL section is typed', () => {
  const { postgresql } = config('', { postgresql: { use_pg_rewind: true, create_replica_method: ['wal_e'] } })
  assert.equal(postgresql.dataDir, '/work/data/n1')
  assert.equal(postgresql.configDir, '/work/data/n1')
  assert.equal(postgresql.pgpass, '/home/p/pgpass')
  assert.deepEqual(postgresql.superuser, { username: 'su', password: '12', options: { sslmode: 'require' } })
  assert.deepEqual(postgresql.replication, { username: 'repl', password: 'r', options: {} })
  assert.equal(postgresql.rewind, null)
  assert.equal(postgresql.useRewind, true)
  assert.deepEqual(postgresql.createReplicaMethods, ['wal_e'])
  assert.equal(postgresql.pgCtlTimeoutMs, 60_000)
})

test('the store section is the first in alphabetical order, with the settings of the cluster copied in', () => {
  const result = config('zookeeper: {hosts: [a]}\netcd: {host: x, ttl: 5}\nnamespace: //ns/')
  assert.equal(result.store.kind, 'etcd')
  assert.deepEqual(result.store.section, {
    host: 'x',
    ttl: 30,
    namespace: '//ns/',
    name: 'n1',
    scope: 'batman',
    loop_wait: 10,
    retry_timeout: 10,
  })
  assert.equal(result.storePrefix, '/ns/batman/')
  assert.equal(config('citus: {group: 0, database: d}').storePrefix, '/service/batman/0/')
  assert.equal(config('citus: {group: "0", database: d}').citus, null)
})

test('16 W9 a top-level namespace does not replace the one of Kubernetes', () => {
  const text = MINIMAL.replace("etcd3: {host: 'h:2379'}", 'kubernetes: {namespace: own}\nnamespace: other')
  const outcome = effectiveConfig({ local: local('', text), dynamic: {}, previous: null, place: PLACE })
  assert.equal(outcome.kind === 'ok' && outcome.config.store.section['namespace'], 'own')
})

test('3.5 bootstrap: absent means never, citus asks for quorum, a custom method needs a command', () => {
  assert.equal(config('').bootstrap, null)
  assert.deepEqual(config('bootstrap: {dcs: {ttl: 20}}\ncitus: {group: 1, database: d}').bootstrap?.dcs, {
    ttl: 20,
    synchronous_mode: 'quorum',
  })
  assert.equal(config('bootstrap: {}').bootstrap?.method, 'initdb')
  assert.equal(config('bootstrap: {method: x, x: {}}').bootstrap?.method, 'initdb')
  const custom = config('bootstrap: {method: x, x: {command: c}, post_init: p}').bootstrap
  assert.deepEqual([custom?.method, custom?.custom, custom?.postBootstrap], ['x', { command: 'c' }, 'p'])
  assert.match(
    warnings('bootstrap: {users: {a: {}}}').join(),
    /User creation is not be supported starting from v4\.0\.0/,
  )
})

test('3.3 and 3.4 REST credentials also serve the client, `auth` is the older form', () => {
  const result = config('restapi: {authentication: {username: u, password: p}, cafile: /ca}')
  assert.deepEqual(result.ctl.authentication, { username: 'u', password: 'p' })
  assert.equal(result.ctl.cacert, '/ca')
  assert.equal(result.restapi.requestQueueSize, 512)
  assert.equal(config('restapi: {request_queue_size: 5}').restapi.requestQueueSize, 5)
  assert.deepEqual(config('restapi: {auth: "u:p:q"}').restapi.authentication, { username: 'u', password: 'p:q' })
  assert.deepEqual(config('restapi: {allowlist: [a, 1]}').restapi.allowlist, ['a', '1'])
})

test('3.10 watchdog modes', () => {
  const modes: readonly (readonly [string, string])[] = [
    ['', 'automatic'],
    ['watchdog: ~', 'automatic'],
    ['watchdog: {mode: off}', 'off'],
    ['watchdog: {mode: "off"}', 'off'],
    ['watchdog: {mode: Disabled}', 'off'],
    ['watchdog: {mode: AUTO}', 'automatic'],
    ['watchdog: {mode: require}', 'required'],
    ['watchdog: {mode: sometimes}', 'off'],
  ]
  for (const [text, mode] of modes) assert.equal(config(text).watchdog.mode, mode, text)
  assert.match(
    warnings('watchdog: {mode: sometimes}').join(),
    /Watchdog mode sometimes not recognized, disabling watchdog/,
  )
})

test('keys without effect are told once, with their place; unchanged findings are not repeated', () => {
  const text =
    'ttl: 20\nlog: {levle: x}\npostgresql:\n  use_slots: true\n  parameters: {max_connections: 5}\n  wal_e: {command: x}\n  authentication: {rewind: {foo: x}}'
  assert.deepEqual(warnings(text), [
    'more.yml:1: ttl: has no effect here: it counts only in the dynamic configuration (edit-config)',
    'more.yml:2: log.levle: unknown key, it has no effect',
    'more.yml:7: postgresql.authentication.rewind.foo: unknown key, it has no effect',
    'more.yml:4: postgresql.use_slots: has no effect here: it counts only in the dynamic configuration (edit-config)',
    'more.yml:5: postgresql.parameters.max_connections: has no effect here: it counts only in the dynamic configuration (edit-config)',
  ])
  const same = local(text)
  const first = effectiveConfig({ local: same, dynamic: {}, previous: null, place: PLACE })
  assert.equal(first.kind, 'ok')
  if (first.kind !== 'ok') return
  const again = effectiveConfig({ local: same, dynamic: { pause: true }, previous: first.config, place: PLACE })
  assert.deepEqual(again.kind === 'ok' && again.warnings, [])
})

test('2.3 a citus section that is dropped is told', () => {
  assert.deepEqual(warnings('citus: {group: "0", database: d}'), [
    'more.yml:1: citus: is ignored: it needs an integer group and a string database',
  ])
})

test('12 contradicting tags are told in the words that outside tools match', () => {
  const told = warnings('tags: {nofailover: true, failover_priority: 1, nosync: false, sync_priority: "0"}')
  assert.ok(
    told.includes(
      'Conflicting configuration between nofailover: True and failover_priority: 1. Defaulting to nofailover: True',
    ),
  )
  assert.ok(
    told.includes('Conflicting configuration between nosync: False and sync_priority: 0. Defaulting to nosync: False'),
  )
})

test('16 W8 a text that says off where anything non-empty counts is told', () => {
  assert.equal(config('postgresql: {use_pg_rewind: "off"}').postgresql.useRewind, true)
  assert.match(
    warnings('postgresql: {use_pg_rewind: "off"}').join(),
    /postgresql\.use_pg_rewind: is text, which counts as true/,
  )
})

test('whatever stands in the file or in the store, the answer is a configuration or problems', () => {
  const sections =
    'log restapi ctl bootstrap postgresql watchdog tags citus etcd3 standby_cluster ttl scope name'.split(' ')
  const keys =
    'listen parameters authentication superuser replication username password level format loggers mode dcs'.split(' ')
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 1 }),
    fc.dictionary(fc.constantFrom(...keys, '__proto__', 'ttl', 'max_connections'), fc.jsonValue({ maxDepth: 2 })),
  )
  const document = fc.dictionary(fc.constantFrom(...sections), value) as fc.Arbitrary<JsonObject>
  fc.assert(
    fc.property(document, document, (file, dynamic) => {
      const base = local('')
      const changed = { ...base, document: mergePatch(base.document, file) }
      const outcome = effectiveConfig({ local: changed, dynamic, previous: null, place: PLACE })
      if (outcome.kind === 'broken') assert.ok(outcome.problems.length > 0)
      else for (const role of ['primary', 'replica'] as const) forRole(outcome.config.postgresql, role)
    }),
    { numRuns: 2000 },
  )
})

test('2.4 the overlay of the role: parameters but no enforced ones, pg_hba and pg_ident as a whole', () => {
  const { postgresql } = config(
    'postgresql: {parameters: {work_mem: 1MB, a.b: x}, pg_hba: [all], pg_ident: [i],\n' +
      '  parameters_primary: {Work_Mem: 2MB, max_connections: 5, a.b: ~}, pg_hba_replica: [replica]}',
  )
  const primary = forRole(postgresql, 'promoted')
  assert.equal(primary.postgresql.parameters['Work_Mem'], '2MB')
  assert.equal(primary.postgresql.parameters['a.b'], undefined)
  assert.equal(primary.postgresql.parameters['max_connections'], 100)
  assert.deepEqual(primary.postgresql.pgHba, ['all'])
  assert.deepEqual(primary.warnings, [
    "Role-based config attempted to override protected parameter 'max_connections', ignoring",
  ])
  assert.deepEqual(forRole(postgresql, 'demoted').postgresql.pgHba, ['replica'])
  assert.deepEqual(forRole(postgresql, 'standby_leader').postgresql.pgHba, ['all'])
  assert.equal(forRole(postgresql, 'uninitialized').postgresql, postgresql)
})
