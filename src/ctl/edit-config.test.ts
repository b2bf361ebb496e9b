import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { type ConfigChanges, changedConfig } from './config-edit.ts'
import { ORDERS, testWorld } from './testing/world.ts'

const CONFIG = ORDERS['config'] as JsonObject
const DIFF = `\
--- 
+++ 
@@ -2,8 +2,8 @@
 maximum_lag_on_failover: 1048576
 postgresql:
   parameters:
-    max_connections: 100
+    max_connections: 200
     work_mem: 4MB
   use_pg_rewind: true
 retry_timeout: 10
-ttl: 30
+ttl: 20
`
const NEW_CONFIG = {
  ...CONFIG,
  ttl: 20,
  postgresql: { use_pg_rewind: true, parameters: { max_connections: 200, work_mem: '4MB' } },
}

test('10 edit-config shows the change, asks, and writes what was there in its order', async () => {
  const world = testWorld({ orders: ORDERS })
  world.input = ['y']
  const { code, out } = await world.run('edit-config', 'orders', '-s', 'ttl=20', '-p', 'max_connections=200')
  assert.equal(out, `${DIFF}Apply these changes? [y/N]: y\nConfiguration changed\n`)
  assert.equal(code, 0)
  assert.equal(JSON.stringify(world.written[0]?.value), JSON.stringify(NEW_CONFIG))
  world.input = ['n']
  const declined = await world.run('edit-config', '-s', 'ttl=20')
  assert.match(declined.out, /Apply these changes\? \[y\/N\]: n\n$/)
  assert.equal(world.written.length, 1)
})

test('10 edit-config from standard input', async () => {
  const world = testWorld({ orders: ORDERS })
  const argv = ['edit-config', 'orders', '--apply', '-']
  const document = 'postgresql: {parameters: {work_mem: null}}'
  world.input = [document]
  assert.match((await world.run(...argv)).out, /\n-    work_mem: 4MB\n.*\nUse --force option to apply changes\n$/s)
  world.input = [document]
  assert.equal((await world.run(...argv, '--force', '-q')).out, 'Configuration changed\n')
  assert.deepEqual((world.written[0]?.value as JsonObject | undefined)?.['postgresql'], {
    use_pg_rewind: true,
    parameters: { max_connections: 100 },
  })
})

test('8.8 nothing to change, nothing there, somebody faster, a store that is silent', async () => {
  const world = testWorld({ orders: ORDERS, x: {} })
  assert.equal((await world.run('edit-config', '-s', 'ttl=30')).out, 'Not changed\n')
  assert.equal((await world.run('edit-config', '-q', '-s', 'ttl=30')).out, '')
  const missing = await world.run('edit-config', 'x', '-s', 'ttl=20')
  assert.equal(missing.err, 'Error: The config key does not exist in the cluster x\n')
  world.storeAnswers = 'refused'
  const argv = ['edit-config', '-s', 'ttl=20', '--force', '-q']
  assert.equal((await world.run(...argv)).err, 'Error: Config modification aborted due to concurrent changes\n')
  world.onWrite = () => {
    world.storeAnswers = 'unknown'
  }
  assert.match(
    (await world.run(...argv)).err,
    /^Error: etcd3 at .* did not answer, the configuration may or may not have been changed: /,
  )
})

test('12.11 a new key that nobody knows is told, not refused', async () => {
  const world = testWorld({ orders: { ...ORDERS, config: { ...CONFIG, my_note: 1 } } })
  const { out, err } = await world.run('edit-config', '-s', 'tll=20', '-s', 'pause=true', '-q', '--force')
  assert.match(err, /^[^\n]* - WARNING - Unknown key tll: it is stored, but means nothing to members\n$/)
  assert.equal(out, 'Configuration changed\n')
})

test('8.8 wrong pairs and documents', async () => {
  const world = testWorld({ orders: ORDERS })
  world.files['/list.yml'] = '- 1'
  world.files['/broken.yml'] = 'a: [1'
  const err = async (...argv: string[]) => (await world.run('edit-config', '--force', ...argv)).err
  assert.equal(await err('-s', 'ttl'), 'Error: Invalid parameter setting ttl\n')
  assert.match(await err('-s', 'ttl=[1'), /^Error: Invalid parameter setting ttl=\[1: /)
  assert.equal(
    await err('--apply', '/list.yml'),
    'Error: /list.yml has to be a mapping (key: value), nothing was changed\n',
  )
  assert.match(await err('--replace', '/broken.yml'), /^Error: \/broken.yml is not valid YAML in line 1: /)
  assert.deepEqual(world.written, [])
})

test('8.8 without options an editor; its comments show in the diff, its mistakes can be mended', async () => {
  const world = testWorld({ orders: ORDERS })
  const texts = ['ttl: [1', '# comment\nttl: 20']
  world.edit = (text) => {
    assert.match(text, texts.length === 2 ? /^loop_wait: 10\n/ : /^ttl: \[1$/)
    return { code: 0, text: texts.shift() ?? '' }
  }
  world.input = ['y', 'y']
  const { out, err } = await world.run('edit-config')
  assert.match(err, /^Error: The edited configuration is not valid YAML in line 1: /)
  assert.match(out, /^Edit it again\? \[y\/N\]: y\n--- \n\+\+\+ \n@@ -1,9 \+1,2 @@\n/)
  assert.match(out, /\n\+# comment\n\+ttl: 20\nApply these changes\? \[y\/N\]: y\nConfiguration changed\n$/)
  assert.deepEqual(world.written[0]?.value, { ttl: 20 })
  world.edit = (text) => ({ code: 3, text })
  assert.equal((await world.run('edit-config')).err, 'Error: Editor exited with return code 3\n')
})

test('8.8 on a terminal the diff goes through a pager, in colour', async () => {
  const world = testWorld({ orders: ORDERS })
  world.interactive = true
  const { out } = await world.run('edit-config', '-s', 'ttl=20', '--force')
  assert.equal(out, 'Configuration changed\n')
  assert.ok(world.paged[0]?.includes('\u001b[31m-ttl: 30\u001b[0m\n\u001b[32m+ttl: 20\u001b[0m\n'))
})

const pairs = (...given: string[]): ConfigChanges => ({ replace: null, apply: null, pairs: given })
const MERGES: readonly (readonly [string, JsonObject, ConfigChanges, JsonObject])[] = [
  ['a pair adds intermediate mappings', { a: 1 }, pairs('b.c=2'), { a: 1, b: { c: 2 } }],
  [
    'null and nothing delete, emptied mappings go',
    { a: { b: { c: 1 } }, d: 1, e: 1 },
    pairs('a.b.c=', 'd=null'),
    { e: 1 },
  ],
  [
    'values are YAML 1.1',
    {},
    pairs('a=on', 'b=010', 'c=1e3', 'd= [x, y]', 'e=1:30'),
    { a: true, b: 8, c: '1e3', d: ['x', 'y'], e: 90 },
  ],
  ['only the first = splits', {}, pairs(' a = b=c'), { a: 'b=c' }],
  ['a scalar in the way becomes a mapping', { a: 1 }, pairs('a.b=2'), { a: { b: 2 } }],
  [
    'names of parameters keep their dots',
    {},
    pairs('postgresql.parameters.auto_explain.log_min_duration=1s'),
    { postgresql: { parameters: { 'auto_explain.log_min_duration': '1s' } } },
  ],
  ['dates stay text', {}, pairs('a=2020-01-01'), { a: '2020-01-01' }],
  [
    'replace, then apply, then pairs',
    { old: 1 },
    { replace: { a: 1, b: { c: 1 } }, apply: { b: { c: null, d: 2 } }, pairs: ['a=3'] },
    { a: 3, b: { d: 2 } },
  ],
  [
    'a merge leaves what has the same text',
    { a: 5, b: '5' },
    { replace: null, apply: { a: '5', b: 5 }, pairs: [] },
    { a: 5, b: '5' },
  ],
  ['new keys are taken whole', {}, { replace: null, apply: { a: { b: null } }, pairs: [] }, { a: { b: null } }],
]

for (const [title, before, changes, after] of MERGES) {
  test(`8.8 ${title}`, () => assert.equal(JSON.stringify(changedConfig(before, changes)), JSON.stringify(after)))
}
