import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLive } from '../api/probes.ts'
import { Loop } from '../ha/loop.ts'
import { Scene } from '../ha/testing/scene.ts'
import { createControl } from './control.ts'
import { Observer } from './observer.ts'

/** An agent whose second cycle waits for something that never comes. @returns what its probes say as time goes by */
async function hanging(scene: (s: Scene) => void) {
  const s = new Scene()
  scene(s)
  const loop = new Loop()
  const { clock, dcs, postgres } = s.ha.world
  const load = dcs.load.bind(dcs)
  let reads = 0
  Object.assign(dcs, {
    load: (...args: Parameters<typeof load>) => (++reads > 1 ? new Promise(() => {}) : load(...args)),
  })
  const control = createControl({
    ha: s.ha,
    loop,
    observer: new Observer(postgres, clock),
    scope: 'demo',
    version: '5.0.0',
    configuredTags: () => ({}),
    cloneProgress: () => null,
    logQueue: () => ({ size: 0, lost: 0 }),
    journal: () => [],
    requestReload: () => {},
    terminate: () => {},
  })
  void loop.run(s.ha, { beforeCycle: async () => {}, afterCycle: async () => {} }, new AbortController().signal)
  for (let i = 0; i < 300; i++) await Promise.resolve()
  assert.equal(reads, 2)
  return (laterMs: number) => {
    s.nowMs += laterMs
    const status = control.status()
    return { live: isLive(status, clock.now()), leader: status.holdsLock, view: status.view !== null }
  }
}

test('rest-api.md 6.4 a primary whose cycle never ends is not live any more after one ttl, nor the leader', async () => {
  const after = await hanging((s) => s.primary())
  assert.deepEqual(after(0), { live: true, leader: true, view: true })
  assert.deepEqual(after(19_000), { live: true, leader: true, view: true })
  assert.deepEqual(after(11_000), { live: false, leader: false, view: false })
})

test('rest-api.md 6.4 a replica whose cycle never ends is not live any more after two ttl, and knows no cluster after one', async () => {
  const after = await hanging((s) => s.leader('b'))
  assert.deepEqual(after(0), { live: true, leader: false, view: true })
  assert.deepEqual(after(31_000), { live: true, leader: false, view: false })
  assert.deepEqual(after(30_000), { live: false, leader: false, view: false })
})
