import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { printGenerated, runningConfiguration, sampleConfiguration, template } from './generated.ts'
import { configurationSchema } from './validation/schema.ts'
import { parseYaml } from './yaml.ts'

const HOST = { name: 'h1', address: '10.0.0.1' }

describe('10 generated configurations', () => {
  test('10.2 the sample fits the version of the server', () => {
    const sample = (version: number): string => printGenerated(sampleConfiguration(template(HOST, {}), version))
    assert.match(sample(150018), /wal_keep_size: 128MB/)
    assert.match(sample(150018), /- host all all all scram-sha-256/)
    assert.match(sample(150018), /username: rewind_user/)
    assert.match(sample(90500), /wal_keep_segments: 8/)
    assert.match(sample(90500), /wal_level: hot_standby/)
    assert.doesNotMatch(sample(90500), /rewind_user/)
  })

  test('10.1 the environment counts more than the template, and bootstrap.dcs less than the defaults', () => {
    const text = printGenerated(template(HOST, { scope: 'mine', bootstrap: { dcs: { ttl: 1, x: 2 } } }))
    assert.match(text, /^scope: mine$/m)
    assert.match(text, /^ {4}ttl: 30$/m)
    assert.doesNotMatch(text, /x: 2/)
  })

  test('10.4 what is written is YAML again, with the same content', () => {
    const document = sampleConfiguration(template(HOST, { etcd3: { host: '10.0.0.1:2379' } }), 150018)
    const parsed = parseYaml(printGenerated(document))
    assert.equal(parsed.kind, 'document')
    assert.deepEqual((parsed as { value: JsonObject }).value, document)
  })

  test('10.3 settings of a running server go where they belong', () => {
    const settings = Object.entries({
      archive_command: 'cp %p /archive',
      cluster_name: 'orders',
      data_directory: '/data',
      listen_addresses: '*',
      max_connections: '300',
      port: '5433',
    }).map(([name, value]) => ({ name, value }))
    const superuser = { username: 'postgres', password: 'x', sslmode: 'prefer' }
    const server = { settings, superuser, port: '5433', binDir: '/bin', pgHba: ['local all all trust'], pgIdent: [] }
    const document = runningConfiguration(template(HOST, {}), server, {})
    const postgresql = document['postgresql'] as JsonObject
    assert.equal(document['scope'], 'orders')
    assert.deepEqual(postgresql['parameters'], { archive_command: 'cp %p /archive' })
    assert.deepEqual([postgresql['listen'], postgresql['connect_address']], ['*:5433', '10.0.0.1:5433'])
    assert.deepEqual((postgresql['authentication'] as JsonObject)['superuser'], superuser)
    assert.match(printGenerated(document), /max_connections: '300'/)
    assert.ok(!('pg_ident' in postgresql))
  })
})

test('the JSON Schema says what the validation says', () => {
  const schema = JSON.parse(JSON.stringify(configurationSchema())) as {
    required: string[]
    properties: Record<string, { required?: string[]; properties: Record<string, unknown> }>
  }
  assert.deepEqual(schema.required, ['name', 'scope', 'restapi', 'postgresql'])
  assert.deepEqual(schema.properties['restapi']?.required, ['listen', 'connect_address'])
  const checked = schema.properties['restapi']?.properties['verify_client'] as JsonObject | undefined
  assert.deepEqual([checked?.['enum'], checked?.['default']], [['none', 'optional', 'required'], 'none'])
  assert.ok(schema.properties['fence']?.properties['safety_margin'])
})
