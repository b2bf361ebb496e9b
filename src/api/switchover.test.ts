import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { ask, shown } from './testing/ask.ts'
import { ManualClock, settle } from './testing/clocks.ts'
import { fakeAgent, HEALTHY_KEYS, keptLog, statusOf, viewOf } from './testing/fake-agent.ts'

const WISH = { leader: 'n1', candidate: 'n2' }
const PENDING = { failover: { leader: 'n1', member: 'n2' } }

/** An agent whose store may be changed while somebody waits. */
function cluster(keys: JsonObject = {}) {
  const agent = fakeAgent()
  const store = { keys: { ...HEALTHY_KEYS, ...keys } }
  agent.read = async () => viewOf(store.keys)
  agent.store.writeFailover = async () => {
    store.keys = { ...store.keys, ...PENDING }
    return { kind: 'done', value: undefined }
  }
  return { agent, store }
}

describe('13.1 what is refused', () => {
  const REFUSED: readonly (readonly [path: string, body: JsonObject | string | undefined, answer: string])[] = [
    ['/failover', {}, '400'],
    ['/switchover', undefined, '411'],
    ['/switchover', 'rubbish', '400'],
    ['/failover', { leader: '' }, '400 Failover could be performed only to a specific candidate'],
    ['/switchover', { candidate: 'n2' }, '400 Switchover could be performed only from a specific leader'],
    ['/failover', { candidate: 'n2', scheduled_at: 'x' }, "400 Failover can't be scheduled"],
    ['/switchover', { leader: 'n1', candidate: 'n1' }, '400 Switchover target and source are the same'],
    ['/switchover', { leader: 'n2' }, '412 leader name does not match'],
    ['/switchover', { leader: 'n1', candidate: 'x' }, '412 candidate does not exists'],
  ]
  for (const [path, body, answer] of REFUSED)
    test(`${path} ${JSON.stringify(body)}: ${answer}`, async () => {
      const { agent } = cluster()
      const got = await ask(`POST ${path}`, body, { agent })
      assert.equal(got.shape === 'page' ? String(got.status) : shown(got), answer)
      assert.equal(
        agent.asked.some(([name]) => name === 'writeFailover'),
        false,
      )
    })

  test('in pause, as the store says it and not as it was', async () => {
    const { agent } = cluster({ config: { pause: true } })
    const text = 'Switchover is possible only to a specific candidate in a paused state'
    assert.equal(shown(await ask('POST /switchover', { leader: 'n1' }, { agent })), `400 ${text}`)
  })

  test('when no member can take over', async () => {
    const { agent } = cluster()
    const text = 'switchover is not possible: no good candidates have been found'
    agent.answers.switchoverObstacle = async () => text
    assert.equal(shown(await ask('POST /switchover', { leader: 'n1' }, { agent })), `412 ${text}`)
  })

  test('when the key cannot be written', async () => {
    const { agent } = cluster()
    agent.store.writeFailover = async () => ({ kind: 'unknown', reason: 'time' })
    assert.equal(shown(await ask('POST /switchover', WISH, { agent })), '503 failed to write failover key into DCS')
  })

  test('21.8 when the store cannot be read', async () => {
    const { agent } = cluster()
    agent.read = async () => null
    assert.equal(shown(await ask('POST /switchover', WISH, { agent })), '503 DCS is not accessible')
  })
})

describe('13.1 what is written', () => {
  test('a request of the operator of Kubernetes, with the old name and an empty schedule', async () => {
    const { agent, store } = cluster()
    const log = keptLog()
    const body = { leader: 'n1', member: 'n2', scheduled_at: '' }
    agent.store.writeFailover = async () => {
      store.keys = { ...store.keys, leader: 'n2' }
      return { kind: 'done', value: undefined }
    }
    const asked = ask('POST /switchover', body, { agent, log })
    await settle()
    agent.tell('leader')
    assert.equal(shown(await asked), '200 Successfully switched over to "n2"')
    const written = { leader: 'n1', candidate: 'n2', scheduledAt: null, version: null }
    assert.deepEqual(agent.asked[1], ['writeFailover', written])
    assert.deepEqual(agent.asked[2], ['wake'])
    assert.equal(log.lines[0], 'INFO: received switchover request with leader=n1 candidate=n2 scheduled_at=None')
  })

  test('a schedule is accepted at once, and nobody is asked whether he could', async () => {
    const { agent } = cluster()
    agent.answers.switchoverObstacle = async () => 'nobody'
    const body = { leader: 'n9', scheduled_at: '2030-01-01T10:00:00+0200' }
    assert.equal(shown(await ask('POST /switchover', body, { agent })), '202 Switchover scheduled')
    const scheduledAt = '2030-01-01T10:00:00+02:00'
    const written = { leader: 'n9', candidate: null, scheduledAt, version: null }
    assert.deepEqual(agent.asked.slice(1), [['writeFailover', written], ['wake']])
  })

  test('a failover that names the leader becomes a switchover', async () => {
    const { agent, store } = cluster()
    const log = keptLog()
    const asked = ask('POST /failover', WISH, { agent, log })
    await settle()
    store.keys = { ...store.keys, leader: 'n3' }
    agent.tell('leader')
    assert.equal(shown(await asked), '200 Switched over to "n3" instead of "n2"')
    assert.equal(
      log.lines[1],
      'WARNING: received failover request with leader specified - performing switchover instead',
    )
  })
})

describe('13.3 waiting for the result', () => {
  test('the answer comes with the change, not at the next second', async () => {
    const { agent, store } = cluster()
    const clock = new ManualClock()
    const asked = ask('POST /switchover', WISH, { agent, clock })
    await clock.advance(300)
    agent.tell('failover')
    await clock.advance(100)
    store.keys = { ...store.keys, leader: 'n2' }
    agent.tell('leader')
    await settle()
    assert.equal(shown(await asked), '200 Successfully switched over to "n2"')
    assert.equal(clock.now(), 400)
  })

  test('a change while the store is being read is not missed', async () => {
    const { agent, store } = cluster()
    const clock = new ManualClock()
    let reads = 0
    agent.read = async () => {
      const view = viewOf(store.keys)
      if (++reads === 2) {
        store.keys = { ...store.keys, leader: 'n2' }
        agent.tell('leader')
      }
      return view
    }
    const asked = ask('POST /switchover', WISH, { agent, clock })
    await settle()
    agent.tell('failover')
    await settle()
    assert.equal(shown(await asked), '200 Successfully switched over to "n2"')
  })

  test('a failover key that was taken back means failure', async () => {
    const { agent, store } = cluster()
    const asked = ask('POST /failover', { candidate: 'n2' }, { agent })
    await settle()
    store.keys = { ...store.keys, failover: {} }
    agent.tell('failover')
    assert.equal(shown(await asked), '503 Failover failed')
  })

  test('without any word from the store it is read again all the same', async () => {
    const { agent, store } = cluster()
    const clock = new ManualClock()
    const asked = ask('POST /switchover', WISH, { agent, clock })
    await clock.advance(1_000)
    store.keys = { ...store.keys, leader: 'n2' }
    await clock.advance(1_000)
    assert.equal(shown(await asked), '200 Successfully switched over to "n2"')
  })

  test('a store that fails meanwhile does not end the waiting', async () => {
    const { agent, store } = cluster()
    const clock = new ManualClock()
    const asked = ask('POST /switchover', WISH, { agent, clock })
    await settle()
    const { read } = agent
    agent.read = async () => null
    agent.tell('connection')
    await clock.advance(2_000)
    agent.read = read
    store.keys = { ...store.keys, leader: 'n2' }
    agent.tell('connection')
    assert.equal(shown(await asked), '200 Successfully switched over to "n2"')
  })

  for (const [loopWait, seconds] of [
    [10, 20],
    [30, 60],
    [1, 20],
  ] as const)
    test(`with loop_wait ${loopWait} nobody waits longer than ${seconds} s`, async () => {
      const { agent } = cluster()
      agent.current = statusOf({ settings: { ...statusOf().settings, loopWaitMs: loopWait * 1000 } })
      const clock = new ManualClock()
      const asked = ask('POST /switchover', WISH, { agent, clock })
      await clock.advance(seconds * 1000)
      const text = `Switchover status unknown after ${seconds} seconds; operation may still be in progress`
      assert.equal(shown(await asked), `503 ${text}`)
    })

  test('who hangs up is not waited for, and the listener goes', async () => {
    const { agent } = cluster()
    const client = new AbortController()
    const asked = ask('POST /switchover', WISH, { agent, signal: client.signal })
    await settle()
    client.abort()
    assert.equal((await asked).status, 503)
    const reads = agent.asked.length
    agent.tell('leader')
    await settle()
    assert.equal(agent.asked.length, reads)
  })
})

describe('13.4 DELETE /switchover', () => {
  const scheduled = { failover: { leader: 'n1', scheduled_at: '2030-01-01T10:00:00+00:00' } }

  test('a planned one is blanked at the version that was read', async () => {
    const { agent } = cluster(scheduled)
    assert.equal(shown(await ask('DELETE /switchover', undefined, { agent })), '200 scheduled switchover deleted')
    const written = { leader: null, candidate: null, scheduledAt: null, version: 'v-failover' }
    assert.deepEqual(agent.asked[1], ['writeFailover', written])
  })

  test('a lost race is 409, no answer 503', async () => {
    const { agent } = cluster(scheduled)
    agent.store.writeFailover = async () => ({ kind: 'refused', reason: 'version' })
    assert.equal((await ask('DELETE /switchover', undefined, { agent })).status, 409)
    agent.store.writeFailover = async () => ({ kind: 'unknown', reason: 'time' })
    assert.equal((await ask('DELETE /switchover', undefined, { agent })).status, 503)
  })

  test('one under way is left alone', async () => {
    for (const keys of [{}, PENDING]) {
      const { agent } = cluster(keys)
      assert.equal(shown(await ask('DELETE /switchover', undefined, { agent })), '404 no switchover is scheduled')
      assert.deepEqual(agent.asked, [['loadView']])
    }
  })
})
