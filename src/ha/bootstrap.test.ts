import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scene } from './testing/scene.ts'

test('4.1 a wiped store is no new cluster: a member that lost its data leaves ttl to those who have some', async () => {
  const s = new Scene().leader('b')
  await s.cycle()
  s.newCluster()
  assert.equal((await s.cycle()).rule, 'wait-for-leader')
  assert.ok(!s.did('initialize'))
  s.nowMs += 29_000
  assert.equal((await s.cycle()).rule, 'wait-for-leader')
  s.nowMs += 1000
  assert.equal((await s.cycle()).rule, 'bootstrap', 'nobody has any')
})

test('4.1 the time is counted anew where somebody has written the key in between', async () => {
  const s = new Scene().leader('b')
  await s.cycle()
  await s.newCluster().cycle()
  s.nowMs += 29_000
  s.keys.set('initialize', '7000000000000000001')
  await s.cycle()
  s.newCluster().nowMs += 2000
  assert.equal((await s.cycle()).rule, 'wait-for-leader')
})

test('4.1 nobody begins a new cluster while another member shows that it has data', async () => {
  const s = new Scene().newCluster().member('c', { role: 'replica' })
  assert.equal((await s.cycle()).rule, 'wait-for-leader')
  s.nowMs += 600_000
  assert.equal((await s.cycle()).rule, 'wait-for-leader')
  s.keys.delete('members/c')
  assert.equal((await s.cycle()).rule, 'bootstrap', 'its agent is gone')
})
