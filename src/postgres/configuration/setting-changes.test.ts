import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../../cluster/json.ts'
import { parametersFrom } from './parameters.ts'
import { type SettingRow, settingChanges } from './setting-changes.ts'

const ROWS: readonly SettingRow[] = [
  { name: 'max_connections', setting: '100', unit: null, vartype: 'integer', context: 'postmaster' },
  { name: 'shared_buffers', setting: '16384', unit: '8kB', vartype: 'integer', context: 'postmaster' },
  { name: 'work_mem', setting: '4096', unit: 'kB', vartype: 'integer', context: 'user' },
  { name: 'wal_buffers', setting: '512', unit: '8kB', vartype: 'integer', context: 'postmaster' },
  { name: 'wal_segment_size', setting: '16777216', unit: 'B', vartype: 'integer', context: 'internal' },
  { name: 'wal_block_size', setting: '8192', unit: null, vartype: 'integer', context: 'internal' },
  { name: 'DateStyle', setting: 'ISO, MDY', unit: null, vartype: 'string', context: 'user' },
]

const changes = (wanted: JsonObject, previous: JsonObject) =>
  settingChanges(parametersFrom(wanted), parametersFrom(previous), ROWS)

test('2.13 nothing is changed where the server runs with what is wanted and was wanted', () => {
  const same = {
    max_connections: 100,
    shared_buffers: '128MB',
    datestyle: 'ISO, MDY',
    'a.b': 'x',
    hot_standby: 'off',
    restore_command: 'x',
  }
  assert.deepEqual(changes(same, { ...same, hot_standby: 'on', restore_command: 'y' }), {
    changed: false,
    pendingRestart: {},
    messages: [],
    unknown: [],
  })
})

test('2.13 a change is told with old and new value, and whether it needs a restart', () => {
  const found = changes(
    { max_connections: 101, shared_buffers: '256MB', work_mem: '5MB' },
    { max_connections: 100, shared_buffers: '128MB', work_mem: '4MB' },
  )
  assert.equal(found.changed, true)
  assert.deepEqual(found.pendingRestart, {
    max_connections: { old_value: '100', new_value: '101' },
    shared_buffers: { old_value: '128MB', new_value: '256MB' },
  })
  assert.deepEqual(
    found.messages.map((message) => message.text),
    [
      "Changed max_connections from '100' to '101' (restart might be required)",
      "Changed shared_buffers from '128MB' to '256MB' (restart might be required)",
      "Changed work_mem from '4MB' to '5MB'",
    ],
  )
})

test('2.13 a parameter that is no longer set, and one that is set back, count as changed', () => {
  assert.equal(changes({}, { work_mem: '4MB' }).changed, true)
  assert.deepEqual(changes({}, { max_connections: 100 }).pendingRestart, {
    max_connections: { old_value: '100', new_value: '' },
  })
  assert.equal(changes({ work_mem: '4MB' }, { work_mem: '5MB' }).changed, true)
})

test('2.13 wal_buffers = -1 stands for what the server computes from shared_buffers', () => {
  assert.equal(changes({ wal_buffers: -1 }, { wal_buffers: -1 }).changed, false)
  assert.equal(changes({ wal_buffers: '8MB' }, { wal_buffers: -1 }).changed, true)
})

test('2.13 names the server does not know: extensions are compared as text, others are dropped', () => {
  assert.equal(changes({ 'a.b': 'x' }, { 'a.b': 'y' }).changed, true)
  const found = changes({ no_such: 1 }, {})
  assert.equal(found.changed, false)
  assert.deepEqual(found.unknown, ['no_such'])
  assert.equal(found.messages[0]?.text, 'Removing invalid parameter `no_such` from postgresql.parameters')
  assert.deepEqual(changes({ no_such: 1 }, { no_such: 1 }).unknown, [])
})
