import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ValidationResult, validation } from './validate.ts'
import type { World } from './validation/world.ts'

const RIGHT = `
name: n1
scope: batman
restapi: {listen: '0.0.0.0:8008', connect_address: 'db1:8008'}
etcd3: {host: 'etcd:2379'}
postgresql:
  listen: 0.0.0.0:5432
  connect_address: db1:5432
  data_dir: /data
  bin_dir: /bin
  authentication:
    replication: {username: r, password: p}
    superuser: {username: s, password: p}
`

interface Machine {
  /** `host:port` where somebody listens. */
  readonly listening?: readonly string[]
  /** Files with their text, `null` for a directory. */
  readonly files?: Readonly<Record<string, string | null>>
  readonly programs?: readonly string[]
  readonly version?: string
}

const PROGRAMS = ['pg_ctl', 'initdb', 'pg_controldata', 'pg_basebackup', 'postgres', 'pg_isready']

function world({ listening = ['etcd:2379'], files = { '/bin': null }, programs, version }: Machine): World {
  const executables = programs ?? PROGRAMS.map((name) => `/bin/${name}`)
  return {
    connect: async (host, port) => {
      if (host === 'nowhere') return { kind: 'unresolved', message: 'getaddrinfo ENOTFOUND nowhere' }
      return { kind: listening.includes(`${host}:${port}`) ? 'connected' : 'refused' }
    },
    localAddresses: () => ['127.0.0.1', '10.0.0.1'],
    kind: async (path) => (files[path] === undefined ? 'missing' : files[path] === null ? 'directory' : 'file'),
    entries: async (path) =>
      Object.keys(files)
        .filter((name) => name.startsWith(`${path}/`) && !name.slice(path.length + 1).includes('/'))
        .map((name) => name.slice(path.length + 1)),
    read: async (path) => files[path] ?? null,
    findExecutable: async (name, directory) => {
      const path = `${directory === '' ? '/path' : directory}/${name}`
      return executables.includes(path) ? path : null
    },
    versionOf: async () => version ?? null,
  }
}

async function check(
  text: string,
  machine: Machine = {},
  options: {
    readonly ignoreListenPort?: boolean
    readonly print?: boolean
    readonly env?: Record<string, string>
  } = {},
): Promise<ValidationResult> {
  const { ignoreListenPort = false, print = false, env = {} } = options
  const files = { kind: async () => 'file' as const, list: async () => [], read: async () => text }
  return validation({ configPath: '/p.yml', ignoreListenPort, print }, { env, files, world: world(machine) })
}

/** The lines about a configuration that is right but for `changes`, given as `[what, instead]`. */
async function linesAfter(what: string, instead: string, machine: Machine = {}): Promise<readonly string[]> {
  assert.ok(RIGHT.includes(what), what)
  const result = await check(RIGHT.replace(what, instead), machine)
  assert.equal(result.exitCode, result.stderr === '' ? 0 : 1)
  return result.stderr.split('\n').slice(0, -1)
}

const added = (more: string, machine: Machine = {}): Promise<readonly string[]> =>
  linesAfter('name: n1', `name: n1\n${more}`, machine)
const postgresql = (more: string, machine: Machine = {}): Promise<readonly string[]> =>
  linesAfter('postgresql:', `postgresql:\n  ${more}`, machine)

const FAILED = "didn't pass validation:"

test('9 a right configuration prints nothing and exits 0', async () => {
  assert.deepEqual(await check(RIGHT), { exitCode: 0, stdout: '', stderr: '' })
})

test('9.3 an empty configuration gives the sample of the specification', async () => {
  const result = await check('{}')
  assert.equal(result.exitCode, 1)
  assert.equal(
    result.stderr,
    'name scope restapi consul etcd etcd3 exhibitor kubernetes raft zookeeper postgresql'
      .split(' ')
      .map((key) => `${key}  is not defined.\n`)
      .join(''),
  )
})

test('9 --print dumps the merged configuration with sorted keys', async () => {
  const result = await check(
    RIGHT.replace('  bin_dir: /bin\n', ''),
    { programs: PROGRAMS.map((name) => `/path/${name}`) },
    {
      print: true,
      env: { PATRONI_SCOPE: 'robin' },
    },
  )
  assert.equal(result.exitCode, 0, result.stderr)
  assert.match(result.stdout, /^etcd3:\n {2}host: etcd:2379\nname: n1\npostgresql:\n {2}authentication:\n/)
  assert.match(result.stdout, /\n {2}bin_dir: ''\n/)
  assert.match(result.stdout, /\nscope: robin\n$/)
})

test('9 what cannot be loaded gives the message of a start', async () => {
  const result = await check('- a')
  assert.deepEqual(result, {
    exitCode: 1,
    stdout: '',
    stderr: 'invalid config file /p.yml: /p.yml does not contain a dict\n',
  })
})

test('16 W21 keys without effect are warnings and no error', async () => {
  const result = await check(`${RIGHT}\nttl: 5\n`)
  assert.equal(result.exitCode, 0)
  assert.match(result.stderr, /^warning: \/p\.yml:\d+: ttl: has no effect here/)
})

test('9.1 wrong types and values outside their range', async () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ['thread_pool_size: 4', [`thread_pool_size 4 ${FAILED} Wrong value`]],
    ['thread_pool_size: "5"', ['thread_pool_size 5 is not an integer']],
    ['thread_stack_size: 524288', []],
    ['thread_stack_size: 524289', [`thread_stack_size 524289 ${FAILED} Wrong value`]],
    ['log: 1', ['log 1 is not a dictionary']],
    [
      'log: {type: xml, level: info, mode: 512, dir: [1]}',
      [
        `log.type xml ${FAILED} Wrong value`,
        `log.level info ${FAILED} Wrong value`,
        'log.dir [1] is not a string',
        `log.mode 512 ${FAILED} Wrong value`,
      ],
    ],
    [
      'log: {traceback_level: error, format: [message, {a: b}], static_fields: [], max_queue_size: true}',
      ['log.static_fields [] is not a dictionary'],
    ],
    ['log: {format: 1}', [`log.format 1 ${FAILED} Should be a string or a list`]],
    ['log: {format: []}', [`log.format [] ${FAILED} should contain at least one item`]],
    [
      'log: {format: [{a: 1}]}',
      [`log.format [{'a': 1}] ${FAILED} each item should be a string or a dictionary with string values`],
    ],
    ['ctl: {insecure: "yes", cacert: 1}', ['ctl.insecure yes is not a boolean', 'ctl.cacert 1 is not a string']],
    ['ctl: {keyfile_password: 1}', ['ctl.keyfile_password *** is not a string']],
    ['bootstrap: {method: 1}', ['bootstrap.dcs  is not defined.', 'bootstrap.method 1 is not a string']],
    [
      'bootstrap: {dcs: {ttl: 19, loop_wait: x, member_slots_ttl: 30min, synchronous_mode: maybe}}',
      [
        `bootstrap.dcs.ttl 19 ${FAILED} Wrong value`,
        `bootstrap.dcs.loop_wait x ${FAILED} Wrong value`,
        `bootstrap.dcs.synchronous_mode maybe ${FAILED} invalid value for synchronous_mode`,
      ],
    ],
    [
      'bootstrap: {dcs: {standby_cluster: {primary_slot_name: a}}}',
      [
        'bootstrap.dcs.standby_cluster.host  is not defined.',
        'bootstrap.dcs.standby_cluster.port  is not defined.',
        'bootstrap.dcs.standby_cluster.restore_command  is not defined.',
      ],
    ],
    [
      'bootstrap: {dcs: {postgresql: {parameters: {max_connections: 0}, pg_hba: [1], use_slots: 1}}}',
      [
        `bootstrap.dcs.postgresql.parameters.max_connections 0 ${FAILED} Wrong value`,
        'bootstrap.dcs.postgresql.use_slots 1 is not a boolean',
        'bootstrap.dcs.postgresql.pg_hba.0 1 is not a string',
      ],
    ],
    [
      'bootstrap: {dcs: {}, initdb: [data-checksums, {encoding: UTF8}, 1]}',
      ['bootstrap.initdb.2 1 is not a string', 'bootstrap.initdb.2 1 is not a dictionary'],
    ],
    ['citus: {group: "0"}', ['citus.database  is not defined.', 'citus.group 0 is not an integer']],
    ['watchdog: {mode: false, safety_margin: -2}', [`watchdog.safety_margin -2 ${FAILED} Wrong value`]],
    ['watchdog: {mode: on}', [`watchdog.mode True ${FAILED} Wrong value`]],
    ['watchdog: {mode: 5}', [`watchdog.mode 5 ${FAILED} expected type is not a string`]],
    [
      'tags: {nofailover: "false", sync_priority: -1}',
      ['tags.nofailover false is not a boolean', `tags.sync_priority -1 ${FAILED} Wrong value`],
    ],
    [
      'tags: {nofailover: false, failover_priority: 1}',
      ["tags  Multiple of ('nofailover', 'failover_priority') provided"],
    ],
    ['tags: {nosync: false, sync_priority: 1}', ["tags  Multiple of ('nosync', 'sync_priority') provided"]],
  ]
  for (const [more, expected] of table) assert.deepEqual(await added(more), expected, more)
})

test('9.3 the sections of the stores', async () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ["{hosts: 'etcd:2379,b:2379'}", [`etcd3.hosts.1 b:2379 ${FAILED} b:2379 is not reachable`]],
    ['{hosts: [etcd:2379, 1]}', ['etcd3.hosts.1 1 is not a string']],
    ['{hosts: 5}', ['etcd3.hosts 5 is not a list']],
    ['{hosts: []}', ['etcd3.hosts [] is an empty list']],
    ['{host: nowhere}', [`etcd3.host nowhere ${FAILED} getaddrinfo ENOTFOUND nowhere`]],
    ['{host: "etcd:x"}', [`etcd3.host etcd:x ${FAILED} contains a wrong value`]],
    ['{srv: a, password: 1}', ['etcd3.password *** is not a string']],
    ['{username: a}', 'host hosts srv srv_suffix url proxy'.split(' ').map((key) => `etcd3.${key}  is not defined.`)],
  ]
  for (const [section, expected] of table) {
    assert.deepEqual(await linesAfter("{host: 'etcd:2379'}", section), expected, section)
  }
  const others: readonly (readonly [string, readonly string[]])[] = [
    [
      'consul: {url: x, port: 65536, verify: 1, checks: x, consistency: never}',
      [
        `consul.port 65536 ${FAILED} Wrong value`,
        'consul.verify 1 is not a boolean',
        'consul.checks x is not a list',
        `consul.consistency never ${FAILED} Wrong value`,
      ],
    ],
    ['exhibitor: {hosts: [a]}', ['exhibitor.port  is not defined.']],
    [
      "raft: {self_addr: 'localhost:1', partner_addrs: x, min_timeout: 0}",
      [
        `raft.self_addr localhost:1 ${FAILED} must not contain "127.0.0.1", "0.0.0.0", "*", "::1", "localhost"`,
        'raft.partner_addrs x is not an array',
        `raft.min_timeout 0 ${FAILED} Wrong value`,
      ],
    ],
    ['zookeeper: {hosts: [etcd:2379], set_acls: x}', ['zookeeper.set_acls x is not a dictionary']],
    [
      "kubernetes: {labels: {}, pod_ip: '1.2.3', ports: [{port: 1}], retriable_http_codes: x}",
      [
        `kubernetes.pod_ip 1.2.3 ${FAILED} Is not a valid ipv4 address`,
        'kubernetes.ports.0.name  is not defined.',
        'kubernetes.retriable_http_codes x is not an integer',
        'kubernetes.retriable_http_codes x is not a list',
      ],
    ],
  ]
  for (const [section, expected] of others) assert.deepEqual(await added(section), expected, section)
})

test('9.2 addresses and ports', async () => {
  const loopback = 'must not contain "127.0.0.1", "0.0.0.0", "*", "::1", "localhost"'
  assert.deepEqual(await linesAfter("'db1:8008'", 'localhost:8008'), [
    `restapi.connect_address localhost:8008 ${FAILED} ${loopback}`,
  ])
  assert.deepEqual(await linesAfter("'0.0.0.0:8008'", '10.0.0.9'), [
    `restapi.listen 10.0.0.9 ${FAILED} contains a wrong value`,
  ])
  const busy = { listening: ['etcd:2379', '10.0.0.1:8008'] }
  assert.deepEqual(await linesAfter("'0.0.0.0:8008'", "'*:8008'", busy), [
    `restapi.listen *:8008 ${FAILED} Port 8008 is already in use.`,
  ])
  const ignoring = await check(RIGHT.replace('0.0.0.0:8008', '*:8008'), busy, { ignoreListenPort: true })
  assert.equal(ignoring.exitCode, 0)
  assert.deepEqual(await linesAfter('listen: 0.0.0.0:5432', "listen: '*,db1:5432'"), [
    `postgresql.listen *,db1:5432 ${FAILED} expecting '*' alone`,
  ])
  assert.deepEqual(
    await linesAfter('listen: 0.0.0.0:5432', 'listen: 127.0.0.1,10.0.0.1:5432', {
      listening: ['etcd:2379', '10.0.0.1:5432'],
    }),
    [`postgresql.listen 127.0.0.1,10.0.0.1:5432 ${FAILED} Port 5432 is already in use.`],
  )
})

test('9.2 programs of PostgreSQL', async () => {
  assert.deepEqual(await linesAfter('bin_dir: /bin', 'bin_dir: /none'), [
    `postgresql.bin_dir /none ${FAILED} Directory '/none' does not exist.`,
  ])
  assert.deepEqual(await linesAfter('bin_dir: /bin', 'bin_dir: /file', { files: { '/file': '' } }), [
    `postgresql.bin_dir /file ${FAILED} '/file' is not a directory.`,
  ])
  const without = { programs: PROGRAMS.slice(1).map((name) => `/bin/${name}`) }
  assert.deepEqual(await postgresql('bin_name: {initdb: initdb}', without), [
    `postgresql.bin_dir /bin ${FAILED} does not contain 'pg_ctl' in '/bin'`,
  ])
  assert.deepEqual(await postgresql("bin_name: {postgres: pg15, initdb: ''}"), [
    `postgresql.bin_name.initdb  ${FAILED} is an empty string`,
    `postgresql.bin_name.postgres pg15 ${FAILED} does not contain 'pg15' in '/bin'`,
    `postgresql.bin_dir /bin ${FAILED} does not contain 'pg15' in '/bin'`,
  ])
})

test('9.2 data directories', async () => {
  const base = { '/bin': null, '/data': null }
  const initialized = { ...base, '/data/PG_VERSION': '15\n', '/data/base': null, '/data/pg_wal': null }
  const table: readonly (readonly [Machine, string | null])[] = [
    [{ files: base }, null],
    [{ files: { ...base, '/data/lost+found': null, '/data/.x': '' } }, null],
    [{ files: { '/bin': null, '/data': 'x' } }, 'is not a directory'],
    [{ files: { ...base, '/data/x': '' } }, "doesn't look like a valid data directory"],
    [
      { files: { ...base, '/data/PG_VERSION': '9.6' } },
      'data dir for the cluster is not empty, but doesn\'t contain "pg_xlog" directory',
    ],
    [{ files: initialized, version: 'postgres (PostgreSQL) 15.4 (Debian 15.4-1)' }, null],
    [
      { files: initialized, version: 'postgres (PostgreSQL) 16.1' },
      "data_dir directory postgresql version (15) doesn't match with 'postgres --version' output (16)",
    ],
  ]
  for (const [machine, expected] of table) {
    const lines = await linesAfter('data_dir: /data', 'data_dir: /data', machine)
    assert.deepEqual(lines, expected === null ? [] : [`postgresql.data_dir /data ${FAILED} ${expected}`])
  }
  assert.deepEqual(await linesAfter('data_dir: /data', "data_dir: ''"), [
    `postgresql.data_dir  ${FAILED} is an empty string`,
  ])
})
