import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reinitialize } from './reinitialize.ts'
import { reinitializeFrom } from './rewind.ts'
import { Scene } from './testing/scene.ts'

const never = new AbortController().signal
const PLAIN = { force: false, fromLeader: false }

/** Something long that runs until it is cancelled. */
function busyWith(s: Scene, action: string): void {
  s.ha.actions.begin(action, (signal) => new Promise((end) => signal.addEventListener('abort', () => end(undefined))))
}

test('13.3 a replica throws its data away and copies them anew, from whom the order says', async () => {
  for (const [fromLeader, source] of [
    [false, "bootstrapped from replica 'c'"],
    [true, "bootstrapped from leader 'b'"],
  ] as const) {
    const s = new Scene().leader('b').member('c', { tags: { clonefrom: true } })
    await s.cycle()
    assert.deepEqual(await reinitialize(s.ha, { force: false, fromLeader }, never), {
      ok: true,
      text: 'reinitialize started',
    })
    for (let i = 0; i < 50; i++) await Promise.resolve()
    assert.deepEqual(s.calls.slice(-3), ['stop immediate', 'clone', 'start following b as replica'])
    assert.ok(s.said(source))
  }
})

test('13.3 the leader is not reinitialized, nor anybody while there is none, and what runs there goes on, force or not', async () => {
  for (const force of [false, true]) {
    const leader = new Scene().primary()
    await leader.cycle()
    busyWith(leader, 'restart')
    const answer = await reinitialize(leader.ha, { ...PLAIN, force }, never)
    assert.deepEqual(answer, { ok: false, text: 'I am the leader, can not reinitialize' })
    assert.equal(leader.ha.actions.name, 'restart')
    const alone = new Scene().leader(null)
    busyWith(alone, 'promote')
    assert.deepEqual(await reinitialize(alone.ha, { ...PLAIN, force }, never), {
      ok: false,
      text: 'Cluster has no leader, can not reinitialize',
    })
    assert.equal(alone.ha.actions.name, 'promote')
  }
})

test('13.3 something long that runs is in the way, unless it is to be ended', async () => {
  const s = new Scene().leader('b')
  await s.cycle()
  busyWith(s, 'restart')
  assert.deepEqual(await reinitialize(s.ha, PLAIN, never), { ok: false, text: 'restart already in progress' })
  assert.equal((await reinitialize(s.ha, { ...PLAIN, force: true }, never)).text, 'reinitialize started')
  assert.equal(s.ha.actions.name, 'reinitialize')
})

test('13.3 the data stay as long as the source does not answer: they may be the last copy (seed 20051424)', async () => {
  for (const force of [false, true]) {
    const s = new Scene().leader('b')
    await s.cycle()
    busyWith(s, 'restart')
    s.server.copyObstacle = 'connection refused'
    assert.deepEqual(await reinitialize(s.ha, { ...PLAIN, force }, never), {
      ok: false,
      text: 'Can not reinitialize: no copy can be made from b now: connection refused',
    })
    assert.equal(s.ha.actions.name, 'restart')
    assert.ok(!s.calls.includes('clone'))
  }
})

test('13.3 the source is asked once more right before the data are given up', async () => {
  const s = new Scene().leader('b')
  await s.cycle()
  const leader = s.ha.memory.store.lockedView?.members.find(({ name }) => name === 'b')
  assert.ok(leader)
  s.server.copyObstacle = 'connection refused'
  assert.equal(await reinitializeFrom(s.ha, { kind: 'member', member: leader }, never), false)
  assert.ok(s.said('Keeping the data directory: no copy can be made from b now: connection refused'))
  assert.ok(!s.calls.some((call) => call === 'clone' || call.startsWith('stop')))
})
