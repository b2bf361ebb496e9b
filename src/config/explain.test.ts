import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { effectiveConfig } from './effective.ts'
import { readEnvironment } from './environment.ts'
import { bootstrapDifferences, explainSettings } from './explain.ts'
import type { LocalConfiguration } from './local.ts'
import { parseYaml } from './yaml.ts'

const FILE = `scope: demo
name: n1
restapi: {listen: '127.0.0.1:8008', authentication: {username: a, password: hidden}}
etcd3: {host: '127.0.0.1:2379'}
bootstrap: {dcs: {ttl: 40, postgresql: {use_pg_rewind: true}}}
postgresql:
  listen: 127.0.0.1:5432
  data_dir: /data
  authentication: {replication: {username: r, password: hidden}}
  parameters: {max_connections: 7, shared_buffers: 64MB}
`

function explained(dynamic: JsonObject) {
  const parsed = parseYaml(FILE)
  assert.equal(parsed.kind, 'document')
  const document = (parsed as { value: JsonObject }).value
  const local: LocalConfiguration = {
    document,
    sources: [{ origin: { kind: 'file', path: 'patroni.yml' }, document, lineOf: () => 9 }],
    environment: readEnvironment({}),
  }
  const effective = effectiveConfig({ local, dynamic, previous: null, place: { cwd: '/', home: '/' } })
  assert.ok(effective.kind === 'ok')
  const { config } = effective
  const settings = explainSettings({ config, local, dynamic: config.dynamic, dynamicOrigin: 'the store' })
  return { document, by: new Map(settings.map((one) => [one.key, one])), text: JSON.stringify(settings) }
}

test('each setting has its value, its origin, and what a change restarts', () => {
  const { by } = explained({ ttl: 30, postgresql: { parameters: { max_connections: 200 } } })
  assert.deepEqual(by.get('ttl'), { key: 'ttl', value: '30', origin: 'the store', restart: null })
  assert.equal(by.get('loop_wait')?.origin, 'default')
  assert.equal(by.get('log.level')?.origin, 'default')
  assert.equal(by.get('name')?.origin, 'patroni.yml:9')
  assert.equal(by.get('name')?.restart, 'agent')
  const connections = by.get('postgresql.parameters.max_connections')
  assert.deepEqual([connections?.value, connections?.origin, connections?.restart], ['200', 'the store', 'PostgreSQL'])
  assert.equal(by.get('postgresql.parameters.shared_buffers')?.origin, 'patroni.yml:9')
  assert.equal(by.get('journal.dir')?.value, '"/data.journal"')
})

test('no secret is shown', () => {
  assert.doesNotMatch(explained({}).text, /hidden/)
})

test('what bootstrap.dcs says is compared with the store', () => {
  const { document } = explained({})
  assert.deepEqual(bootstrapDifferences(document, { ttl: 30, postgresql: { use_pg_rewind: true } }), [
    'bootstrap.dcs.ttl is 40, the store has 30: only the store counts (edit-config)',
  ])
})
