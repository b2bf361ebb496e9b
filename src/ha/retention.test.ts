import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type JsonObject, printJson } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import type { Status } from '../cluster/status.ts'
import type { SlotFact } from '../ports/postgres.ts'
import { Scene } from './testing/scene.ts'

function slot(name: string): SlotFact {
  return {
    name,
    type: 'physical',
    database: null,
    plugin: null,
    active: true,
    restartLsn: lsn(900),
    confirmedFlushLsn: null,
    xmin: null,
    catalogXmin: null,
    failover: false,
    synced: false,
  }
}

/** A primary with slots; what it publishes about them. */
function primary(settings: JsonObject, names: readonly string[]): { readonly s: Scene; readonly status: () => Status } {
  const s = new Scene().config(settings).primary()
  const { postgres, dcs } = s.ha.world
  const look = postgres.observe.bind(postgres)
  let written: Status | null = null
  Object.assign(postgres, {
    observe: async (signal: AbortSignal) => {
      const seen = await look(signal)
      return seen.kind === 'observed' ? { ...seen, observation: { ...seen.observation, slots: names.map(slot) } } : seen
    },
  })
  Object.assign(dcs, {
    writeStatus: async (status: Status) => {
      written = status
      return { kind: 'done', value: undefined }
    },
  })
  const status = (): Status => {
    assert.ok(written)
    return written
  }
  return { s, status }
}

test('18.3, postgres 7.9 the slot of a member that is gone is retained for member_slots_ttl, and then told as expired', async () => {
  const { s, status } = primary({ member_slots_ttl: '1min' }, ['b', 'c', 'foreign'])
  await s.cycle()
  assert.deepEqual(status().slots, { a: 1000, b: 900, c: 900, foreign: 900 })
  assert.deepEqual(status().retainSlots, ['a', 'b', 'c'])
  s.keys.delete('members/c')
  s.nowMs += 59_000
  await s.cycle()
  assert.deepEqual(status().retainSlots, ['a', 'b', 'c'])
  s.nowMs += 1000
  await s.cycle()
  assert.deepEqual(status().retainSlots, ['a', 'b'])
  assert.ok(s.said("INFO Replication slot 'c' for absent cluster member is expired after 60 sec."))
})

test('18.3, postgres 7.9 permanent physical slots and those of members that do not stream are not retained', async () => {
  const { s, status } = primary({ slots: { b: { type: 'physical' } } }, ['b', 'c'])
  s.member('c', { tags: { nostream: true } })
  await s.cycle()
  assert.deepEqual(status().retainSlots, ['a'])
})

test('18.3, postgres 7.2 with member_slots_ttl 0 only permanent slots are published, and nothing is retained', async () => {
  const { s, status } = primary({ member_slots_ttl: 0, slots: { forever: null } }, ['b', 'forever'])
  await s.cycle()
  assert.deepEqual(status().slots, { a: 1000, forever: 900 })
  assert.deepEqual(status().retainSlots, [])
})

test('18.3, postgres 7.9 a new leader gives each retained slot its whole time again', async () => {
  const { s, status } = primary({ member_slots_ttl: 60 }, ['b', 'c', 'gone'])
  s.leader(null).keys.set('status', printJson({ optime: 1000, retain_slots: ['gone'] }))
  assert.equal((await s.cycle()).rule, 'acquired-lock')
  s.nowMs += 59_000
  await s.cycle()
  assert.ok(status().retainSlots.includes('gone'))
  s.nowMs += 1000
  await s.cycle()
  assert.ok(!status().retainSlots.includes('gone'))
})
