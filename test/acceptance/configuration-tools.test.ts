import assert from 'node:assert/strict'
import { appendFileSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { stringify } from 'yaml'
import { Cluster } from '../../lab/cluster.ts'
import { agentCommand, ctl, run } from '../../lab/ctl.ts'
import { type ConfigDocument, type Member, REPLICATION, SUPERUSER } from '../../lab/member.ts'
import { giveTo, serverUser } from '../../lab/server-user.ts'
import { until } from '../../lab/wait.ts'
import type { JsonObject } from '../../src/cluster/json.ts'
import { parseYaml } from '../../src/config/yaml.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 2, retryTimeout: 3 }
const HEAL_MS = 60_000

let cluster: Cluster
let member: Member
/** The file that `--generate-config` wrote, as the operator completed it. */
let file: string
const told = (title: string, tell: (cluster: Cluster) => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    scope: 'adopted',
    members: ['n1'],
    timing: TIMING,
    purpose: 'tools',
  })
  try {
    member = cluster.member('n1')
    file = join(cluster.folder, 'generated.yml')
    await startServerByHand()
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(async () => {
  await cluster?.destroy()
})

/** As somebody set it up who knew of no agent. */
async function startServerByHand(): Promise<void> {
  mkdirSync(member.folder, { recursive: true })
  giveTo(serverUser(), member.folder)
  const password = join(member.folder, 'password')
  writeFileSync(password, `${SUPERUSER.password}\n`)
  giveTo(serverUser(), password)
  const bin = (name: string): string => join(cluster.programs.postgresBin, name)
  const done = async (program: string, ...args: string[]): Promise<void> => {
    const { code, stderr } = await run(cluster, bin(program), args, { env: { LC_ALL: 'C' } })
    assert.equal(code, 0, stderr)
  }
  await done('initdb', '-D', member.dataDir, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${password}`, '-N')
  const settings = [
    `port = ${member.pgPort}`,
    "listen_addresses = '127.0.0.1'",
    `unix_socket_directories = '${member.folder}'`,
    'max_connections = 57',
    "work_mem = '7MB'",
    'wal_log_hints = on',
    'fsync = off',
  ]
  appendFileSync(join(member.dataDir, 'postgresql.conf'), `${settings.join('\n')}\n`)
  await done('pg_ctl', '-D', member.dataDir, '-l', join(member.folder, 'server.log'), '-w', 'start')
  await member.sql(`CREATE ROLE ${REPLICATION.username} REPLICATION LOGIN PASSWORD '${REPLICATION.password}'`)
  await member.sql('CREATE TABLE kept AS SELECT 42 AS answer')
}

const dsn = (): string =>
  `host=127.0.0.1 port=${member.pgPort} user=postgres password=${SUPERUSER.password} dbname=postgres`

const read = (path: string): JsonObject => {
  const parsed = parseYaml(readFileSync(path, 'utf8'))
  assert.equal(parsed.kind, 'document')
  return (parsed as { value: JsonObject }).value
}
const at = (document: JsonObject, path: string): unknown =>
  path.split('.').reduce<unknown>((inner, key) => (inner as JsonObject | undefined)?.[key], document)

told('10.3 a configuration is made from a running server', async () => {
  const generated = await agentCommand(cluster, ['--generate-config', '--dsn', dsn(), file], {
    env: {
      PATRONI_SCOPE: cluster.scope,
      PATRONI_NAME: 'n1',
      PATRONI_REPLICATION_USERNAME: REPLICATION.username,
      PATRONI_REPLICATION_PASSWORD: REPLICATION.password,
    },
  })
  assert.deepEqual(generated, { code: 0, stdout: '', stderr: '' })
  // It holds passwords.
  assert.equal(statSync(file).mode & 0o777, 0o600)
  const document = read(file)
  const expected: Readonly<Record<string, unknown>> = {
    scope: cluster.scope,
    'postgresql.data_dir': member.dataDir,
    'postgresql.listen': `127.0.0.1:${member.pgPort}`,
    'postgresql.bin_dir': cluster.programs.postgresBin,
    'postgresql.authentication.superuser.username': 'postgres',
    'postgresql.authentication.superuser.password': SUPERUSER.password,
    'postgresql.authentication.replication': { ...REPLICATION },
    'bootstrap.dcs.postgresql.parameters.max_connections': '57',
    'bootstrap.dcs.postgresql.parameters.work_mem': '7MB',
    'bootstrap.dcs.postgresql.parameters.wal_log_hints': 'on',
    'postgresql.parameters.hba_file': join(member.dataDir, 'pg_hba.conf'),
  }
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, at(document, key)])), expected)
  assert.ok((at(document, 'postgresql.pg_hba') as string[]).some((line) => line.startsWith('host ')))
})

told('10.3 what can not be found out is told in one line', async () => {
  const failures: readonly (readonly [args: readonly string[], line: RegExp])[] = [
    [['--dsn', 'no dsn at all'], /^Failed to parse DSN string\n$/],
    [
      ['--dsn', `host=127.0.0.1 port=${member.apiPort} user=postgres password=x`],
      /^Failed to establish PostgreSQL connection: .*ECONNREFUSED.*\n$/,
    ],
    [
      ['--dsn', dsn().replace(SUPERUSER.password, 'wrong')],
      /^Failed to establish PostgreSQL connection: .*password authentication failed.*\n$/,
    ],
    [
      [
        '--dsn',
        dsn()
          .replace('user=postgres', `user=${REPLICATION.username}`)
          .replace(SUPERUSER.password, REPLICATION.password),
      ],
      /^The provided user does not have superuser privilege\n$/,
    ],
  ]
  for (const [args, line] of failures) {
    const { code, stdout, stderr } = await agentCommand(cluster, ['--generate-config', ...args])
    // This host may have no address of its own.
    assert.match(stderr.replace(/^warning: .*\n/, ''), line)
    assert.deepEqual([code, stdout], [1, ''])
  }
})

told('9, 10.3 the operator names the store and the addresses, and the result is valid', async () => {
  const document = read(file)
  const completed: ConfigDocument = {
    ...document,
    ...(await cluster.store.sectionFor(member.folder)),
    restapi: { listen: `127.0.0.1:${member.apiPort}`, connect_address: `127.0.0.2:${member.apiPort}` },
    postgresql: {
      ...(document['postgresql'] as JsonObject),
      connect_address: `127.0.0.2:${member.pgPort}`,
      pgpass: join(member.folder, 'pgpass'),
    },
  }
  writeFileSync(file, stringify(completed, { version: '1.1', lineWidth: 0 }), { mode: 0o600 })
  const user = serverUser()
  if (user) chownSync(file, user.uid, user.gid)
  // The server runs, so its port is in use.
  assert.deepEqual(await agentCommand(cluster, ['--validate-config', '-i', file]), { code: 0, stdout: '', stderr: '' })
  const without = await agentCommand(cluster, ['--validate-config', file])
  assert.equal(without.code, 1)
  assert.equal(
    without.stderr,
    `postgresql.listen 127.0.0.1:${member.pgPort} didn't pass validation: Port ${member.pgPort} is already in use.\n`,
  )
})

told('10.3 a member started with it adopts the server as it runs', async () => {
  const postmaster = member.postmasterPid()
  const generated = read(file) as ConfigDocument
  for (const key of Object.keys(member.config)) delete member.config[key]
  Object.assign(member.config, generated, {
    restapi: { listen: `127.0.0.1:${member.apiPort}`, connect_address: `127.0.0.1:${member.apiPort}` },
  })
  await member.start()
  await until('the server is the primary of a cluster', HEAL_MS, async () => {
    const [row] = (await member.sql('SHOW max_connections').catch(() => [])) as readonly { max_connections: string }[]
    const stored = await cluster.store.get(cluster.key('config'))
    return (await cluster.leader()) === member && row?.max_connections === '57' && stored !== null
  })
  assert.equal(member.postmasterPid(), postmaster, 'the server was restarted')
  const stored = JSON.parse((await cluster.store.get(cluster.key('config'))) ?? '{}') as JsonObject
  assert.equal(at(stored, 'postgresql.parameters.max_connections'), '57')
  assert.deepEqual(await member.sql('SELECT answer, current_setting($1) AS work_mem FROM kept', ['work_mem']), [
    { answer: 42, work_mem: '7MB' },
  ])
  // The name of the cluster is new to the server; nothing else of it changes.
  const list = JSON.parse((await ctl(cluster, ['list', '-f', 'json'])).stdout) as readonly JsonObject[]
  assert.deepEqual(
    list.map((row) => row['Pending restart reason']),
    ['cluster_name: ->adopted'],
  )
})

told('config explain tells what the store says, and where bootstrap.dcs says something else', async () => {
  const answer = await member.rest('PATCH', '/config', {
    loop_wait: 3,
    postgresql: { parameters: { max_connections: 61 } },
  })
  assert.equal(answer?.status, 200, answer?.text)
  const { code, stdout, stderr } = await agentCommand(cluster, ['config', 'explain', member.configFile])
  assert.equal(code, 0)
  const lines = new Map(stdout.split('\n').map((line) => [line.split(' = ')[0], line.split(' = ')[1]]))
  assert.equal(lines.get('loop_wait'), '3    # the store')
  assert.equal(lines.get('ttl'), '30    # the store')
  assert.equal(
    lines.get('postgresql.parameters.max_connections'),
    '61    # the store, a change needs a restart of PostgreSQL',
  )
  assert.match(lines.get('scope') ?? '', /^"adopted" {4}# \S*patroni\.yml:\d+, a change needs a restart of the agent$/)
  assert.equal(lines.get('maximum_lag_on_failover'), '1048576    # default')
  assert.equal(lines.get('postgresql.authentication.superuser.password')?.startsWith('"***"') ?? false, false)
  assert.match(lines.get('postgresql.authentication.superuser.password') ?? '', /^\*\*\* /)
  assert.match(
    stderr,
    /^warning: bootstrap\.dcs\.loop_wait is 10, the store has 3: only the store counts \(edit-config\)$/m,
  )
  assert.match(stderr, /^warning: bootstrap\.dcs\.postgresql\.parameters\.max_connections is "57", the store has 61: /m)
  assert.doesNotMatch(`${stdout}${stderr}`, new RegExp(`${SUPERUSER.password}"|${REPLICATION.password}`))
})

told('config explain says so when the store does not answer, and goes on with the last copy of it', async () => {
  cluster.store.freeze()
  try {
    const { code, stdout, stderr } = await agentCommand(cluster, ['config', 'explain', member.configFile])
    assert.equal(code, 0)
    assert.match(stdout, /^loop_wait = 3 {4}# the last copy of the store$/m)
    assert.match(stderr, /^warning: the store does not say what is in force \(.+\)$/m)
  } finally {
    cluster.store.thaw()
  }
})

/** Of the tool with all that it starts, in seconds; the least of some runs, for other work on the machine only adds to it. */
async function processorSeconds(runs: number): Promise<number> {
  const timed = 'TIMEFORMAT="%U %S"; time "$0" "$@"'
  const seconds: number[] = []
  for (let i = 0; i < runs; i += 1) {
    const args = ['-c', timed, cluster.programs.ctl, '-c', member.configFile, 'list']
    const { code, stdout, stderr } = await run(cluster, '/bin/bash', args, { env: { LC_ALL: 'C' } })
    assert.equal(code, 0, stderr)
    assert.match(stdout, /Leader/)
    seconds.push(
      stderr
        .trim()
        .split(' ')
        .map(Number)
        .reduce((sum, one) => sum + one, 0),
    )
  }
  return Math.min(...seconds)
}

told('list takes less than 0.3 s of processor time', async () => {
  const seconds = await processorSeconds(5)
  assert.ok(seconds > 0.02 && seconds < 0.3, `${seconds} s`)
})
