import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfiguration } from './configuration.ts'
import type { ConfigFiles } from './files.ts'
import { type LocalOutcome, locate, printProblem } from './local.ts'

/** Files by path; a path that ends in `/` is a directory. */
function files(tree: Readonly<Record<string, string>>): ConfigFiles {
  const directory = (path: string): string => `${path.replace(/\/$/, '')}/`
  return {
    kind: async (path) => {
      if (path === '/dev/null') return 'other'
      if (path in tree) return 'file'
      return Object.keys(tree).some((name) => name.startsWith(directory(path))) ? 'directory' : 'missing'
    },
    list: async (path) =>
      Object.keys(tree)
        .filter((name) => name.startsWith(directory(path)))
        .map((name) => name.slice(directory(path).length))
        .filter((name) => !name.includes('/')),
    read: async (path) => {
      const text = tree[path]
      if (text === undefined) throw Object.assign(new Error('no'), { code: 'EACCES' })
      return text
    },
  }
}

async function load(
  path: string | null,
  tree: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<LocalOutcome> {
  return loadConfiguration({ path, env, files: files(tree) })
}

function messages(outcome: LocalOutcome): readonly string[] {
  assert.equal(outcome.kind, 'broken')
  return outcome.kind === 'broken' ? outcome.problems.map(printProblem) : []
}

function content(outcome: LocalOutcome): unknown {
  if (outcome.kind === 'broken') assert.fail(messages(outcome).join('; '))
  return outcome.local.document
}

test('2.1 a file is merged with the environment over it', async () => {
  const outcome = await load(
    '/p.yml',
    { '/p.yml': 'scope: a\nname: n\nlog: {level: INFO, dir: /l}' },
    {
      PATRONI_SCOPE: 'b',
      PATRONI_LOG_LEVEL: 'DEBUG',
      PATRONI_CONFIGURATION: 'scope: c',
    },
  )
  assert.deepEqual(content(outcome), { scope: 'b', name: 'n', log: { level: 'DEBUG', dir: '/l' } })
})

test('2.1 the files of a directory are merged in code-point order, null removes a key, lists replace', async () => {
  const tree = {
    '/d/b.yml': 'a: {y: null, z: 3}\nl: [2]',
    '/d/B.yaml': 'a: {x: 1, y: 2}\nl: [1, 1]',
    '/d/c.YML': 'a: 9',
    '/d/x.txt': '{{',
    '/d/sub/e.yml': 'a: 8',
  }
  assert.deepEqual(content(await load('/d', tree)), { a: { x: 1, z: 3 }, l: [2] })
})

test('2.1 without an existing path PATRONI_CONFIGURATION is the whole configuration, else the environment is', async () => {
  const env = { PATRONI_SCOPE: 's', PATRONI_CONFIGURATION: 'scope: c' }
  assert.deepEqual(content(await load(null, {}, env)), { scope: 'c' })
  assert.deepEqual(content(await load('/missing', {}, env)), { scope: 'c' })
  assert.deepEqual(content(await load(null, {}, { PATRONI_SCOPE: 's', PATRONI_CONFIGURATION: '' })), { scope: 's' })
})

test('2.1 what cannot be loaded is one message with exit code 1', async () => {
  const reserved = '__patroni_strict_sync_replica_placeholder__'
  const table: readonly (readonly [string | null, Readonly<Record<string, string>>, readonly string[]])[] = [
    ['/dev/null', {}, ['invalid config path: config path /dev/null is neither directory nor file']],
    ['/p', { '/p': '' }, ['invalid config file /p: /p does not contain a dict']],
    ['/p', { '/p': '- a' }, ['invalid config file /p: /p does not contain a dict']],
    ['/d', { '/d/a.yml': 'a: 1', '/d/b.yml': '1' }, ['invalid config file /d/b.yml: /d/b.yml does not contain a dict']],
    ['/p', { '/p': '{}' }, ['Config is empty.']],
    ['/missing', {}, ['configuration file /missing does not exist', 'Config is empty.']],
    [null, {}, ['Config is empty.']],
    ['/p', { '/p': `name: ${reserved}` }, [`Node 'name' can't be set to '${reserved}'`]],
    [
      '/p',
      { '/p': 'scope: a\nlog:\n  level: [x\n' },
      [
        '/p:4: log.level: invalid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
      ],
    ],
  ]
  for (const [path, tree, expected] of table) {
    const outcome = await load(path, tree)
    assert.deepEqual(messages(outcome), expected)
    assert.equal(outcome.kind === 'broken' && outcome.exitCode, 1)
  }
})

test('2.1 a file that may not be read is told as such', async () => {
  const one = files({ '/p': 'x' })
  const denied: ConfigFiles = { ...one, read: () => Promise.reject(Object.assign(new Error(), { code: 'EACCES' })) }
  const outcome = await loadConfiguration({ path: '/p', env: {}, files: denied })
  assert.deepEqual(messages(outcome), ['/p: permission denied'])
})

test('3.14 legacy shapes are translated', async () => {
  const table: readonly (readonly [string, unknown])[] = [
    ['zookeeper: {exhibitor: {port: 1}, hosts: [a]}', { exhibitor: { port: 1 } }],
    [
      'postgresql: {replication: {username: r}, superuser: {username: s}}',
      {
        postgresql: {
          replication: { username: 'r' },
          superuser: { username: 's' },
          authentication: { replication: { username: 'r' }, superuser: { username: 's' } },
          use_pg_rewind: false,
        },
      },
    ],
    [
      'postgresql: {authentication: {replication: {username: r}}, pg_rewind: {username: w}}',
      {
        postgresql: {
          authentication: { replication: { username: 'r' }, superuser: { username: 'w' } },
          pg_rewind: { username: 'w' },
        },
      },
    ],
    ['postgresql: {name: n}', { postgresql: { name: 'n' }, name: 'n' }],
    ['name: a\npostgresql: {name: n}', { name: 'a', postgresql: { name: 'n' } }],
  ]
  for (const [text, expected] of table) assert.deepEqual(content(await load('/p', { '/p': text })), expected)
})

test('a key is found in the last source that has it', async () => {
  const outcome = await load(
    '/d',
    { '/d/a.yml': 'log:\n  level: INFO\n  dir: /x', '/d/b.yml': '\nlog: {dir: /y}' },
    {
      PATRONI_LOG_LEVEL: 'DEBUG',
    },
  )
  assert.equal(outcome.kind, 'ok')
  if (outcome.kind !== 'ok') return
  assert.deepEqual(locate(outcome.local, ['log', 'dir']), { file: '/d/b.yml', line: 2 })
  const variable = { file: 'environment variable PATRONI_LOG_LEVEL', line: null }
  assert.deepEqual(locate(outcome.local, ['log', 'level']), variable)
  assert.deepEqual(locate(outcome.local, ['nothing']), { file: null, line: null })
})

test('16 W6 etcd credentials from the environment join a section of the file', async () => {
  const outcome = await load('/p', { '/p': 'etcd3: {host: h}' }, { PATRONI_ETCD3_USERNAME: 'u' })
  assert.deepEqual(content(outcome), { etcd3: { host: 'h', username: 'u' } })
})

test('11.4 a file that is not UTF-8 is refused with its name: a password would become another one', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'configuration-'))
  const path = join(directory, 'p.yml')
  try {
    await writeFile(path, Buffer.concat([Buffer.from('scope: a\nname: n\npassword: "'), Buffer.from([0xe4, 0x22])]))
    assert.deepEqual(messages(await loadConfiguration({ path, env: {} })), [`${path}: is not UTF-8`])
    await writeFile(path, Buffer.from('\ufeffscope: a'))
    assert.deepEqual(content(await loadConfiguration({ path, env: {} })), { scope: 'a' })
  } finally {
    await rm(directory, { recursive: true })
  }
})
