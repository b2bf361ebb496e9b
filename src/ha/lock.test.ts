import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printJson } from '../cluster/json.ts'
import type { Instant } from '../cluster/time.ts'
import { isLeader } from './lease.ts'
import { Scene } from './testing/scene.ts'

test('8.1 a lock that was acquired is held from the moment it was asked for, and keeps the slots of absent members', async () => {
  const s = new Scene().leader(null)
  s.keys.set('status', printJson({ optime: 1000, retain_slots: ['gone'] }))
  const askedAt = s.nowMs
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
  assert.equal(s.ha.memory.lease.until, askedAt + 30_000)
  assert.equal(s.ha.memory.slotSeenAt.get('gone'), askedAt, 'the clock of each one begins anew')
})

test('8.1 a lock that somebody else has is never overwritten', async () => {
  const s = new Scene().leader(null)
  s.answers.acquire = 'refused'
  await s.cycle()
  assert.equal(isLeader(s.ha), false)
  assert.ok(!s.did('take') && !s.did('promote'))
})

test('8.2 a renewal makes the lease longer; a refusal ends it; no answer leaves it as it is', async () => {
  const renewed = new Scene().primary()
  const at = renewed.nowMs
  await renewed.cycle()
  assert.equal(renewed.ha.memory.lease.until, at + 30_000)
  assert.ok(renewed.calls.indexOf('renew') < renewed.calls.indexOf('status 1000'), 'the status comes after the renewal')

  const refused = new Scene().primary()
  refused.answers.renew = 'refused'
  await refused.cycle()
  assert.equal(isLeader(refused.ha), false)

  const unknown = new Scene().primary().config({ pause: true })
  const { until } = unknown.ha.memory.lease
  unknown.answers.renew = 'unknown'
  await unknown.cycle()
  assert.equal(unknown.ha.memory.lease.until, until)
})

test('8.3 a new cluster takes the lock without asking, after the keys that make it a cluster', async () => {
  const s = new Scene().newCluster()
  assert.equal((await s.cycle()).rule, 'bootstrap')
  Object.assign(s.server, { directory: { kind: 'present' }, alive: true, role: 'primary', inRecovery: false })
  assert.equal((await s.cycle()).rule, 'post-bootstrap')
  assert.equal((await s.cycle()).rule, 'initialized')
  const order = s.calls.filter((call) => /^(initialize|config|take|acquire)/.test(call))
  assert.deepEqual(order, ['initialize ', 'initialize 7000000000000000001', 'config', 'take'])
  assert.ok(s.did('on_start primary'))
})

for (const mode of ['on', 'quorum'] as const)
  test(`8.3 and 16.5 a new cluster with synchronous_mode ${mode} says before it has a leader that nobody else may be one`, async () => {
    const s = new Scene().primary().leader(null).config({ synchronous_mode: mode })
    s.keys.set('initialize', '')
    Object.assign(s.ha.memory.bootstrap, { active: true, result: true })
    assert.equal((await s.cycle()).rule, 'initialized')
    const order = s.calls.filter((call) => /^(sync|take)/.test(call))
    assert.deepEqual(order, ['sync a::0', 'take'])
    assert.equal(s.ha.memory.alarm, s.nowMs, 'the next cycle, which publishes its position, begins at once')
  })

test('3.5 a bootstrap whose server is still in recovery waits; one whose server is gone is undone', async () => {
  const bootstrapping = async (): Promise<Scene> => {
    const s = new Scene().newCluster()
    await s.cycle()
    Object.assign(s.server, { directory: { kind: 'present' }, alive: true })
    return s
  }
  const waiting = await bootstrapping()
  assert.equal((await waiting.cycle()).text, 'waiting for end of recovery after bootstrap')
  const gone = await bootstrapping()
  gone.server.alive = false
  const end = await gone.cycle()
  assert.equal(end.exit, 1)
  assert.ok(gone.said('removing initialize key after failed attempt to bootstrap the cluster'))
  assert.ok(gone.did('delete initialize') && gone.did('move data directory aside'))
})

test('8.4 whoever gives the lock back says so, knows no lease any more, and lets the others see it', async () => {
  const s = new Scene().primary()
  s.server.directory = { kind: 'empty' }
  s.server.alive = false
  const result = await s.cycle()
  assert.equal(result.text, 'released leader key voluntarily as data dir empty and currently leader')
  assert.equal(s.ha.memory.lease.until > (s.nowMs as Instant), false)
  assert.equal(s.keys.has('leader'), false)
  assert.ok(s.said('INFO Leader key released'))
  assert.match(s.keys.get('members/a') ?? '', /"role":"uninitialized"/)
})
