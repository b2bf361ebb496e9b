import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lsn } from '../cluster/lsn.ts'
import type { ObservationOutcome } from '../ports/postgres.ts'
import { Observer } from './observer.ts'
import type { Look } from './picture.ts'
import { ManualClock, settle } from './testing/clocks.ts'
import { fakeAgent, primarySeen, replicaStatus, statusOf } from './testing/fake-agent.ts'

/** A server that shows a higher position at every look. */
function world() {
  const agent = fakeAgent()
  const clock = new ManualClock()
  let looks = 0
  agent.look = async () => ({ kind: 'observed', observation: primarySeen({ primaryLsn: lsn(++looks) }) })
  return { agent, clock, observer: new Observer(agent, clock), looks: () => looks }
}

const shown = (look: Look) => (look.kind === 'observed' ? look.observation.primaryLsn : look.kind)
const HANGS = () => new Promise<ObservationOutcome>(() => {})

describe('21.19 looks are shared', () => {
  test('many who ask at once cause one look', async () => {
    const { observer, looks } = world()
    const all = await Promise.all(Array.from({ length: 100 }, async () => observer.recent(statusOf(), 2_000)))
    assert.deepEqual([looks(), new Set(all.map(shown)).size], [1, 1])
  })

  test('an answer of the last second is given without a promise', async () => {
    const { observer, clock } = world()
    await observer.recent(statusOf(), 2_000)
    await clock.advance(400)
    const again = observer.recent(statusOf(), 2_000)
    assert.ok(!(again instanceof Promise))
    assert.equal(shown(again), 1)
  })

  test('it is renewed in the background while it is asked for', async () => {
    const { observer, clock, looks } = world()
    await observer.recent(statusOf(), 2_000)
    await clock.advance(600)
    const stillOld = observer.recent(statusOf(), 2_000)
    assert.ok(!(stillOld instanceof Promise))
    await settle()
    const renewed = observer.recent(statusOf(), 2_000)
    assert.ok(!(renewed instanceof Promise))
    assert.deepEqual([shown(stillOld), shown(renewed), looks()], [1, 2, 2])
  })

  test('nothing older than a second is shown', async () => {
    const { observer, clock } = world()
    await observer.recent(statusOf(), 2_000)
    await clock.advance(1_001)
    assert.equal(shown(await observer.recent(statusOf(), 2_000)), 2)
  })

  test('a look from before a change of role or state is not used', async () => {
    const { observer } = world()
    await observer.recent(statusOf(), 2_000)
    assert.equal(shown(await observer.recent(statusOf({ role: 'promoted' }), 2_000)), 2)
    assert.equal(shown(await observer.recent(replicaStatus({ state: 'starting' }), 2_000)), 3)
  })

  test('nobody asks a server that is not there', async () => {
    const { observer, looks } = world()
    for (const state of ['stopped', 'crashed', 'creating replica', 'stopping', 'start failed'] as const)
      assert.deepEqual(await observer.recent(statusOf({ state }), 2_000), { kind: 'not-asked' })
    assert.equal(looks(), 0)
  })
})

describe('18 a server that hangs', () => {
  test('the first to ask waits no longer than he wants to', async () => {
    const { observer, agent, clock } = world()
    agent.look = HANGS
    const asked = observer.recent(statusOf(), 2_000)
    await clock.advance(2_000)
    assert.equal(shown(await asked), 'failed')
    assert.equal(clock.now(), 2_000)
  })

  test('once it is known, nobody waits longer than a quarter of a second', async () => {
    const { observer, agent, clock } = world()
    agent.look = HANGS
    const first = observer.recent(statusOf(), 5_000)
    await clock.advance(2_500)
    assert.equal(shown(await first), 'failed')
    await clock.advance(1_500)
    const later = observer.recent(statusOf(), 2_000)
    await clock.advance(250)
    assert.equal(shown(await later), 'failed')
    const next = observer.recent(statusOf(), 2_000)
    await clock.advance(0)
    assert.equal(shown(await next), 'failed')
  })

  test('when it answers again, that is seen at once', async () => {
    const { observer, agent, clock, looks } = world()
    const { look } = agent
    agent.look = async () => ({ kind: 'unreachable', reason: 'x' })
    assert.equal(shown(await observer.recent(statusOf(), 2_000)), 'failed')
    agent.look = look
    await clock.advance(1_100)
    assert.equal(shown(await observer.recent(statusOf(), 2_000)), 1)
    assert.equal(looks(), 1)
  })

  test('looks do not pile up', async () => {
    const { observer, agent, clock } = world()
    agent.look = HANGS
    const asked = Array.from({ length: 50 }, async () => observer.recent(statusOf(), 100))
    await clock.advance(100)
    await Promise.all(asked)
    assert.equal(agent.asked.length, 1)
  })

  test('an agent that fails is a server that does not answer', async () => {
    const { observer, agent } = world()
    agent.look = () => Promise.reject(new Error('bug'))
    assert.equal(shown(await observer.recent(statusOf(), 2_000)), 'failed')
    assert.equal(shown(await observer.fresh(statusOf())), 'failed')
  })
})

describe('for the leader race', () => {
  test('every question is a look of its own, which others may use', async () => {
    const { observer } = world()
    assert.equal(shown(await observer.fresh(statusOf())), 1)
    assert.equal(shown(await observer.fresh(statusOf())), 2)
    assert.equal(shown(await observer.recent(statusOf(), 0)), 2)
  })

  test('the answer is there within the 2 s that peers wait', async () => {
    const { observer, agent, clock } = world()
    agent.look = HANGS
    const asked = observer.fresh(statusOf())
    await clock.advance(1_800)
    assert.equal(shown(await asked), 'failed')
  })
})
