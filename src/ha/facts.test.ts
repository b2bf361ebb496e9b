import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scene } from './testing/scene.ts'

test('1.4 a server that does not answer is what it was: a slow primary is not ended, a mute replica is not promoted', async () => {
  const primary = new Scene().primary()
  primary.server.reachable = false
  assert.equal((await primary.cycle()).rule, 'leader-with-lock')
  assert.ok(
    primary.said('WARNING Failed to determine PostgreSQL state from the connection, falling back to cached role'),
  )
  assert.ok(!primary.did('stop'))
  const replica = new Scene().leader(null)
  replica.server.reachable = false
  assert.equal((await replica.cycle()).rule, 'follow-not-healthiest')
  assert.ok(!replica.did('acquire'))
})

test('1.4 a primary that is gone is none, whatever it was', async () => {
  const s = new Scene().primary().stopped('in production')
  s.answers.load = 'unknown'
  assert.equal((await s.cycle()).rule, 'store-inaccessible')
})
