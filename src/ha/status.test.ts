import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printJson } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import type { Status } from '../cluster/status.ts'
import { publishStatus, writeLastLsn } from './status.ts'
import { Scene } from './testing/scene.ts'
import { newCycle } from './view-loading.ts'

const signal = new AbortController().signal

function written(s: Scene): Status[] {
  const statuses: Status[] = []
  Object.assign(s.ha.world.dcs, {
    writeStatus: async (status: Status) => {
      statuses.push(status)
      return { kind: 'done', value: undefined }
    },
  })
  return statuses
}

test('8.2 the last word of a primary that has not read the store for a while keeps what was published before', async () => {
  const s = new Scene().primary()
  s.keys.set('status', printJson({ optime: 900, slots: { b: 800 }, retain_slots: ['b'], timeline: 5 }))
  await s.cycle()
  const statuses = written(s)
  s.answers.load = 'unknown'
  s.ha.memory.store.view = null
  await writeLastLsn({ ...s.ha, signal }, lsn(1000))
  assert.deepEqual(statuses, [{ lastLsn: 1000, slots: { b: 800 }, retainSlots: ['b'], timeline: 5 }])
})

test('9 the number reserved for a promotion stays in the status, whatever an older view shows', async () => {
  const s = new Scene().leader(null)
  s.keys.set('status', printJson({ optime: 900, timeline: 4 }))
  assert.equal((await s.cycle()).rule, 'promote-by-acquiring')
  const statuses = written(s)
  const { view } = s.ha.memory.store
  assert.ok(view && view.status.timeline === 4)
  await publishStatus(newCycle(s.ha, view, signal))
  await writeLastLsn({ ...s.ha, signal }, lsn(1000))
  assert.deepEqual(
    statuses.map((status) => status.timeline),
    [5, 5],
  )
})

test('8.2 who has the lock and is not a primary yet leaves the position of the last primary as it is', async () => {
  const publishes = async (s: Scene): Promise<number | undefined> => {
    await s.cycle()
    const statuses = written(s)
    const { view } = s.ha.memory.store
    assert.ok(view)
    await publishStatus(newCycle(s.ha, view, signal))
    return statuses[0]?.lastLsn
  }
  const waiting = (optime: number): Scene => {
    const s = new Scene().leader('a')
    s.keys.set('status', printJson({ optime }))
    s.server.lsn = 1000
    return s
  }
  assert.equal(await publishes(waiting(900)), 900)
  assert.equal(await publishes(waiting(5000)), 5000)
  assert.equal(await publishes(waiting(0)), 1000, 'nothing was known')
  const standby = waiting(900).config({ standby_cluster: { host: 'far' } })
  standby.server.role = 'standby_leader'
  assert.equal(await publishes(standby), 1000)
  const primary = new Scene().primary().leader('a')
  primary.keys.set('status', printJson({ optime: 900 }))
  assert.equal(await publishes(primary), 1000)
})
