import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timeline } from '../cluster/timeline.ts'
import { Scene } from './testing/scene.ts'

const found = (): Scene => new Scene().leader('a')

test('7.3 a lock that this agent finds as its own, and did not take, is used where nobody speaks against it', async () => {
  const s = found().peer('b')
  assert.equal((await s.cycle()).rule, 'promote-with-lock')
})

test('7.3 a found lock is given back where somebody else is a primary', async () => {
  const s = found().peer('b', { inRecovery: false })
  assert.equal((await s.cycle()).rule, 'lock-released-found')
  assert.ok(s.said('WARNING Primary (b) is still alive'))
  assert.ok(s.did('release') && !s.did('promote'))
})

test('7.3 a found lock is given back where somebody is on a newer timeline: he was a primary after us, and the store is an old copy', async () => {
  const s = found().peer('b', { timeline: timeline(2) })
  assert.equal((await s.cycle()).rule, 'lock-released-found')
  assert.ok(s.did('release') && !s.did('promote'))
})
