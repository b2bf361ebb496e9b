import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { switchoverObstacle } from './switchover-obstacle.ts'
import { Scene } from './testing/scene.ts'

const never = new AbortController().signal

async function obstacle(
  scene: (s: Scene) => void,
  { leader = 'a', candidate = null }: { leader?: string | null; candidate?: string | null } = {},
  settings: JsonObject = {},
): Promise<string | null> {
  const s = new Scene().config(settings).leader('a')
  scene(s)
  await s.cycle()
  const view = s.ha.memory.store.lockedView
  assert.ok(view)
  return switchoverObstacle(s.ha, view, { leader, candidate, scheduledAt: null }, never)
}

const NO_GOOD = 'is not possible: no good candidates have been found'

test('12.1 a request needs one member that answers, may be promoted and has its watchdog', async () => {
  assert.equal(await obstacle((s) => s.peer('b')), null)
  assert.equal(await obstacle(() => {}), `switchover ${NO_GOOD}`)
  assert.equal(await obstacle((s) => s.peer('b', { tags: { nofailover: true } })), `switchover ${NO_GOOD}`)
  assert.equal(await obstacle((s) => s.peer('b', { watchdogFailed: true }).peer('c')), null)
  assert.equal(await obstacle((s) => s.peer('b'), { candidate: 'c' }), `switchover ${NO_GOOD}`)
  assert.equal(await obstacle((s) => s.peer('b'), { leader: null, candidate: 'c' }), `failover ${NO_GOOD}`)
})

test('12.1 what the store alone shows is told without asking anybody', async () => {
  const asked = (s: Scene): void => {
    Object.assign(s.ha.world.peers, { statuses: () => assert.fail('nobody is to be asked') })
  }
  assert.equal(await obstacle(asked, { leader: 'b' }), 'leader name does not match')
  assert.equal(await obstacle(asked, { candidate: 'x' }), 'candidate does not exists')
  const alone = (s: Scene): void => {
    for (const name of ['b', 'c']) s.keys.delete(`members/${name}`)
  }
  assert.equal(await obstacle(alone), 'switchover is not possible: cluster does not have members except leader')
})
