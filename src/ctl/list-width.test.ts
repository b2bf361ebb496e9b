import assert from 'node:assert/strict'
import { test } from 'node:test'
import { version } from '../cluster/stored.ts'
import { viewFromKeys } from '../cluster/view.ts'
import { groupOf, type Snapshot } from './snapshot.ts'
import { memberTable } from './table/member-table.ts'

function snapshot(): Snapshot {
  const member = (name: string) => ({
    conn_url: `postgres://${name}.a-long-name.example.com:5432/postgres`,
    api_url: `http://${name}:8008/patroni`,
    state: name === 'n1' ? 'running' : 'streaming',
    role: name === 'n1' ? 'primary' : 'replica',
    timeline: 3,
    receive_lsn: 67_395_656,
    replay_lsn: 67_395_656,
    tags: { zone: 'somewhere in the north', nofailover: true },
  })
  const keys = { leader: 'n1', 'members/n1': member('n1'), 'members/n2': member('n2') }
  const stored = Object.entries(keys).map(([key, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return [key, { text, version: version('v'), session: null }] as const
  })
  return { cluster: 'demo', extent: 'cluster', groups: [groupOf(null, viewFromKeys(new Map(stored)))] }
}

const widest = (text: string): number =>
  Math.max(
    ...text
      .split('\n')
      .filter((line) => /^[+|]/.test(line))
      .map((line) => line.length),
  )

test('the table of members fits the terminal, and says what it left out', async () => {
  const whole = await memberTable(snapshot())
  assert.ok(widest(whole) > 110)
  const narrow = await memberTable(snapshot(), { width: 80 })
  assert.ok(widest(narrow) <= 80, narrow)
  assert.match(narrow, /Not shown, the terminal has 80 columns: Tags, .*\(-f yaml shows everything\)/)
  assert.match(narrow, /n1 .*Leader .*running/)
})

test('a table that fits, and one for a pipe, are as they always were', async () => {
  assert.equal(await memberTable(snapshot(), { width: 500 }), await memberTable(snapshot()))
  assert.equal(await memberTable(snapshot(), { width: undefined }), await memberTable(snapshot()))
})
