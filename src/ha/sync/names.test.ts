import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scene } from '../testing/scene.ts'
import { newCycle } from '../view-loading.ts'
import { noteNamesChanged } from './names.ts'

test('16.2 who was ready and is no longer listed is forgotten, also when his name is a part of a listed one', async () => {
  const s = new Scene().primary()
  await s.cycle()
  const { sync, store } = s.ha.memory
  const { postgres } = s.ha.world
  const look = postgres.observe.bind(postgres)
  Object.assign(postgres, {
    observe: async (signal: AbortSignal) => {
      const seen = await look(signal)
      if (seen.kind !== 'observed') return seen
      return { ...seen, observation: { ...seen.observation, synchronousStandbyNames: 'ANY 1 (node10,Node2)' } }
    },
  })
  for (const ready of ['node1/11', 'node10/12', 'node2/13', 'any/14']) sync.ready.add(ready)
  assert.ok(store.view)
  await noteNamesChanged(newCycle(s.ha, store.view, new AbortController().signal))
  assert.deepEqual([...sync.ready], ['node10/12', 'node2/13'])
})

test('16.3 an assignment is told once, by whoever writes it, and only if it is one', async () => {
  const s = new Scene().config({ synchronous_mode: true, synchronous_mode_strict: true }).primary()
  await s.cycle()
  assert.ok(s.did('names __patroni_strict_sync_replica_placeholder__'))
  assert.ok(!s.said('Assigning synchronous_standby_names'), s.log.join('\n'))
})
