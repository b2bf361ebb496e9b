import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printJson } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import { type ClusterView, lockOwner } from '../cluster/view.ts'
import { receiveFailsafe } from './failsafe.ts'
import { Scene } from './testing/scene.ts'

/** What the slots were set up from in the last cycle; `null`: they were left alone. */
function watchSlots(s: Scene): () => ClusterView | null {
  let seen: ClusterView | null = null
  Object.assign(s.ha.world.postgres, {
    syncSlots: async (view: ClusterView) => {
      seen = view
      return ['logical']
    },
  })
  return () => {
    const last = seen
    seen = null
    return last
  }
}

test('14.1 and 14.3, postgres 7.4 without the store a replica moves its slots by what the leader told, and copies none', async () => {
  const s = new Scene().config({ failsafe_mode: true }).leader('b')
  const slots = watchSlots(s)
  await s.cycle()
  slots()
  receiveFailsafe(s.ha, { name: 'c', conn_url: 'postgres://c', api_url: 'http://c:8008/patroni', slots: { x: 4711 } })
  s.ha.actions.abort()
  await s.ha.actions.cancel()
  s.answers.load = 'unknown'
  assert.equal((await s.cycle()).rule, 'store-inaccessible')
  const view = slots()
  assert.ok(view)
  assert.equal(lockOwner(view), 'c')
  assert.deepEqual(view.status.slots, { x: 4711 })
  assert.equal(s.ha.actions.name, null)
})

test('14.1 and 14.2, postgres 7.4 a primary that goes on by consent moves its slots by what the members answered', async () => {
  const s = new Scene().config({ failsafe_mode: true }).primary()
  for (const name of ['b', 'c']) s.keys.delete(`members/${name}`)
  s.member('b-1')
  s.keys.set('failsafe', printJson({ a: 'http://a:8008/patroni', 'b-1': 'http://b:8008/patroni' }))
  Object.assign(s.ha.world.peers, { askFailsafe: async () => [{ name: 'b-1', accepted: true, lsn: lsn(900) }] })
  const slots = watchSlots(s)
  await s.cycle()
  slots()
  s.answers.load = 'unknown'
  assert.equal((await s.cycle()).rule, 'failsafe-primary')
  const view = slots()
  assert.ok(view)
  assert.equal(lockOwner(view), 'a')
  assert.deepEqual(view.status.slots, { b_1: 900 })
})

test('postgres 7.4 without the store and without failsafe mode the slots are left alone', async () => {
  const s = new Scene().leader('b')
  const slots = watchSlots(s)
  await s.cycle()
  slots()
  s.answers.load = 'unknown'
  assert.equal((await s.cycle()).rule, 'store-inaccessible')
  assert.equal(slots(), null)
})
