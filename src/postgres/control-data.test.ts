import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseControlData } from './control-data.ts'

const OUTPUT = `pg_control version number:            1300
Catalog version number:               202209061
Database system identifier:           7571234567890123456
Database cluster state:               shut down in recovery
pg_control last modified:             Fri Nov 21 03:37:00 2025
Latest checkpoint location:           0/3000060
Latest checkpoint's REDO location:    0/3000028
Latest checkpoint's REDO WAL file:    000000020000000000000003
Latest checkpoint's TimeLineID:       2
Minimum recovery ending location:     16/B374D848
Min recovery ending loc's timeline:   2
wal_level setting:                    replica
wal_log_hints setting:                on
max_connections setting:              100
Data page checksum version:           0
`

test('1.12 the facts of pg_controldata are read, every item is kept as printed', () => {
  const data = parseControlData(OUTPUT)
  assert.ok(data)
  const { items, ...facts } = data
  assert.deepEqual(facts, {
    systemIdentifier: '7571234567890123456',
    clusterState: 'shut down in recovery',
    checkpointLsn: 0x3000060,
    checkpointTimeline: 2,
    minRecoveryLsn: 0x16 * 2 ** 32 + 0xb374d848,
    minRecoveryTimeline: 2,
    walLogHints: true,
    dataChecksums: false,
  })
  assert.equal(items["Latest checkpoint's REDO WAL file"], '000000020000000000000003')
  assert.equal(items['pg_control last modified'], 'Fri Nov 21 03:37:00 2025')
})

test('1.12 the prefix that old versions print is removed', () => {
  const data = parseControlData('Database cluster state: in production\nCurrent wal_log_hints setting: on\n')
  assert.equal(data?.walLogHints, true)
})

test('1.12 output without a cluster state is no control data', () => {
  for (const text of ['', 'pg_controldata: fatal: could not open file\n', 'Database system identifier: 1\n'])
    assert.equal(parseControlData(text), null)
})

test('1.12 checksums are on where their version is not 0', () => {
  const state = 'Database cluster state: in production\n'
  assert.equal(parseControlData(`${state}Data page checksum version: 1\n`)?.dataChecksums, true)
  assert.equal(parseControlData(state)?.dataChecksums, false)
})
