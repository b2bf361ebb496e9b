import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoreEvent } from '../ports/dcs.ts'
import { Loop } from './loop.ts'
import { Scene } from './testing/scene.ts'

/** A loop of a few cycles. `between` runs instead of each wait and may wake it. */
async function cycles(
  s: Scene,
  count: number,
  between: (loop: Loop, event: (event: StoreEvent) => void, waitMs: number) => void = () => {},
): Promise<{ readonly waits: readonly number[]; readonly exit: number }> {
  const end = new AbortController()
  const loop = new Loop()
  const waits: number[] = []
  let tell: (event: StoreEvent) => void = () => {}
  const { clock, dcs } = s.ha.world
  Object.assign(dcs, {
    onChange: (told: (event: StoreEvent) => void) => {
      tell = told
      return () => {}
    },
  })
  Object.assign(clock, {
    sleep: async (ms: number, signal: AbortSignal) => {
      waits.push(ms)
      between(loop, tell, ms)
      for (let i = 0; i < 50; i++) await Promise.resolve()
      if (!signal.aborted) s.nowMs += ms
    },
  })
  let done = 0
  const hooks = {
    beforeCycle: async () => {},
    afterCycle: async () => {
      done += 1
      if (done === count) end.abort()
    },
  }
  return { exit: await loop.run(s.ha, hooks, end.signal), waits }
}

test('2.2 a cycle begins every loop_wait, followers half a second after the leader', async () => {
  assert.deepEqual((await cycles(new Scene().primary(), 3)).waits, [10_000, 10_000])
  assert.deepEqual((await cycles(new Scene().leader('b'), 3)).waits, [10_500, 10_000])
})

test('2.2 a cycle that took longer than loop_wait is followed by the next one at once', async () => {
  const s = new Scene().primary()
  const { dcs } = s.ha.world
  const load = dcs.load.bind(dcs)
  Object.assign(dcs, {
    load: async (...args: Parameters<typeof load>) => {
      s.nowMs += 12_000
      return load(...args)
    },
  })
  assert.deepEqual((await cycles(s, 2)).waits, [])
  assert.ok(s.said('WARNING Loop time exceeded, rescheduling immediately.'))
})

test('2.2 a follower that begins half a second later on purpose is not late for that', async () => {
  const s = new Scene().config({ loop_wait: 1, retry_timeout: 3, ttl: 20 }).leader('b')
  const { dcs } = s.ha.world
  const load = dcs.load.bind(dcs)
  let cycleMs = 0
  Object.assign(dcs, {
    load: async (...args: Parameters<typeof load>) => {
      s.nowMs += cycleMs
      return load(...args)
    },
  })
  cycleMs = 600
  const waits = (await cycles(s, 4)).waits
  assert.deepEqual(waits, [900, 900])
  assert.ok(!s.said('WARNING Loop time exceeded, rescheduling immediately.'))
})

test('2.3 a changed leader, configuration or request ends the wait at once, positions that move do not', async () => {
  for (const event of ['leader', 'config', 'failover'] as const) {
    const s = new Scene().primary()
    const from = s.nowMs
    await cycles(s, 2, (_loop, tell) => tell(event))
    assert.equal(s.nowMs, from, event)
  }
  const s = new Scene().primary()
  const from = s.nowMs
  await cycles(s, 2, (_loop, tell) => tell('status'))
  assert.equal(s.nowMs, from + 10_000)
})

test('2.3 many events of members at once, while the store is slow, are read one after the other, and few times', async () => {
  const s = new Scene().primary()
  const { dcs } = s.ha.world
  const load = dcs.load.bind(dcs)
  let [reads, running, mostAtOnce] = [0, 0, 0]
  await cycles(s, 2, (_loop, tell) => {
    Object.assign(dcs, {
      load: async (...args: Parameters<typeof load>) => {
        reads += 1
        running += 1
        mostAtOnce = Math.max(mostAtOnce, running)
        for (let i = 0; i < 5; i++) await Promise.resolve()
        running -= 1
        return load(...args)
      },
    })
    for (let i = 0; i < 20; i++) tell('members')
    tell('sync')
  })
  assert.equal(mostAtOnce, 1)
  assert.equal(reads, 3, 'one for the first event, one for all the others, and the cycle that they woke')
})

test('2.3 what happened during a cycle is not missed: the next one begins at once', async () => {
  const s = new Scene().primary()
  const loops: Loop[] = []
  const { postgres } = s.ha.world
  Object.assign(postgres, {
    syncSlots: async () => {
      for (const loop of loops.splice(0)) loop.wake()
      return []
    },
  })
  const { waits } = await cycles(s, 3, (loop) => loops.push(loop))
  assert.deepEqual(waits, [10_000], 'the second cycle was woken while it ran')
})

test('2.3 the wait before a race that is put off ends when the time is over', async () => {
  const s = new Scene().config({ primary_race_backoff: 4 }).leader('b')
  await s.cycle()
  s.leader(null)
  assert.equal((await cycles(s, 2)).waits[0], 4000)
})

test('2.4 a cycle that says so ends the agent with its exit code', async () => {
  const s = new Scene().leader('b')
  s.server.systemIdentifier = '7999999999999999999'
  assert.equal((await cycles(s, 5)).exit, 1)
  assert.ok(s.said('CRITICAL system ID mismatch, node a belongs to a different cluster'))
})

test('2.2 whatever fails before or after a cycle, the next cycle runs and the cause is told', async () => {
  const s = new Scene().primary()
  Object.assign(s.ha.world.clock, { sleep: async (ms: number) => void (s.nowMs += ms) })
  const end = new AbortController()
  let ran = 0
  const hooks = {
    beforeCycle: async () => {
      ran += 1
      if (ran === 3) end.abort()
      throw new Error('the configuration is odd')
    },
    afterCycle: () => {
      throw new Error('the disk is full')
    },
  }
  assert.equal(await new Loop().run(s.ha, hooks, end.signal), 0)
  assert.equal(ran, 3)
  assert.ok(s.said('ERROR Unexpected exception'))
})
