import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lsn } from '../cluster/lsn.ts'
import { timeline } from '../cluster/timeline.ts'
import type { StopRequest } from '../ports/postgres.ts'
import { runCycle } from './cycle.ts'
import { type DemotionMode, demote } from './demotion.ts'
import { shutdown } from './shutdown.ts'
import { Scene } from './testing/scene.ts'
import { newCycle } from './view-loading.ts'

/** A primary that is demoted; what happens stands in `calls`. */
async function demoted(mode: DemotionMode, scene: (s: Scene) => void = () => {}): Promise<Scene> {
  const s = new Scene().primary()
  scene(s)
  await s.cycle()
  s.calls.length = 0
  const view = s.ha.memory.store.view
  assert.ok(view)
  await demote(newCycle(s.ha, view, new AbortController().signal), mode, new AbortController().signal)
  for (let i = 0; i < 50; i++) await Promise.resolve()
  return s
}

const CASES: readonly (readonly [DemotionMode, calls: readonly string[]])[] = [
  ['offline', ['fence off', 'stop fast', 'start following nobody as replica']],
  ['graceful', ['fence off', 'stop fast', 'status 1000', 'release', 'start following nobody as replica']],
  ['immediate', ['fence off', 'stop immediate', 'release', 'start following nobody as replica']],
  ['immediate-nolock', ['fence off', 'stop immediate', 'start following nobody as replica']],
]

for (const [mode, calls] of CASES) {
  test(`10.1 and 10.2 ${mode}: how it stops, whether it gives the key back, how it comes back`, async () => {
    const s = await demoted(mode)
    assert.deepEqual(
      s.calls.filter((call) => !/^(renew|names|legacy)/.test(call)),
      calls,
    )
    assert.ok(s.said(`INFO Demoting self (${mode})`))
    assert.ok(s.ha.memory.lease.until <= s.nowMs)
    assert.equal(s.ha.memory.divergence.state, 'check')
  })
}

test('10.2 demote-cluster keeps the key where nobody else has everything, and comes back as the standby leader', async () => {
  const s = await demoted('demote-cluster', (scene) => {
    scene.config({ standby_cluster: { host: 'far' } }).peer('b', { lsn: lsn(900) })
  })
  assert.ok(!s.did('release'))
  assert.deepEqual(
    s.calls.filter((call) => /^(stop|renew|status|start)/.test(call)),
    ['stop fast', 'renew', 'status 1000', 'start following remote as standby_leader'],
  )
  assert.ok(s.ha.memory.lease.until > s.nowMs)
})

test('10.2 and 15.2 demote-cluster without an archive gives the key to a replica that has everything, before its server has ended', async () => {
  const s = await demoted('demote-cluster', (scene) => {
    scene.config({ standby_cluster: { host: 'far' } }).peer('b')
    Object.assign(scene.ha.world.postgres, {
      stop: async (request: StopRequest) => {
        await request.onShutdownCheckpoint?.({ checkpoint: lsn(1000), previous: lsn(976) })
        scene.calls.push('ended')
        scene.server.alive = false
        return 'stopped'
      },
    })
    Object.assign(scene.ha.world.dcs, {
      release: async () => {
        scene.leader('b')
        scene.calls.push('release')
        return { kind: 'done', value: undefined }
      },
    })
  })
  assert.deepEqual(
    s.calls.filter((call) => /^(status|release|ended|renew|start)/.test(call)),
    ['status 1000', 'release', 'ended', 'start following b as replica'],
  )
  assert.ok(s.ha.memory.lease.until <= s.nowMs)
})

/** A primary that finds itself in a standby cluster. */
async function toStandbyCluster(scene: (s: Scene) => void = () => {}): Promise<Scene> {
  const s = new Scene().primary().config({ standby_cluster: { host: 'far' }, primary_stop_timeout: 5 })
  scene(s)
  assert.equal((await s.cycle()).rule, 'not-primary-following-remote')
  for (let i = 0; i < 50; i++) await Promise.resolve()
  return s
}

test('10.2, postgres 6.8 demote-cluster archives the segment of its last checkpoint, however long the stop takes', async () => {
  const limits: unknown[] = []
  const s = await toStandbyCluster((scene) => {
    Object.assign(scene.ha.world.postgres, {
      isArchiving: async () => true,
      stop: async (request: StopRequest) => {
        limits.push(request.limitMs)
        scene.calls.push('stop')
        scene.server.alive = false
        return 'stopped'
      },
    })
  })
  assert.deepEqual(limits, [null])
  const order = s.calls.slice(s.calls.indexOf('stop')).filter((call) => /^(stop|renew|archive|start)/.test(call))
  assert.deepEqual(order, ['stop', 'renew', 'archive checkpoint', 'start following remote as standby_leader'])
  const without = await toStandbyCluster()
  assert.ok(without.said('INFO Not archiving latest checkpoint WAL file. Archiving is not configured.'))
  assert.ok(!without.did('archive'))
})

test('10.2, postgres 6.7 a graceful demotion whose history has diverged leaves the server stopped for the rewind', async () => {
  const s = new Scene().primary().request({ leader: 'a', member: 'b' }).peer('b')
  s.server.rewindSource = { kind: 'primary', timeline: timeline(2), lsn: lsn(5000), history: [] }
  Object.assign(s.ha.world.dcs, {
    release: async () => {
      s.leader('b')
      s.calls.push('release')
      return { kind: 'done', value: undefined }
    },
  })
  await s.cycle()
  for (let i = 0; i < 100; i++) await Promise.resolve()
  assert.ok(s.did('release') && !s.did('start following'), s.calls.join(', '))
  assert.equal(s.ha.memory.divergence.state, 'needed')
  s.server.clusterState = 'shut down'
  assert.equal((await s.cycle()).text, 'running pg_rewind from b')
})

test('10.2, 14.1 a switchover that waits for its turn to release the lock ends when the cycle that lost the store cancels it', async () => {
  const s = new Scene().primary().config({ failsafe_mode: true }).request({ leader: 'a', member: 'b' }).peer('b')
  s.keys.set('failsafe', '{"a":"http://a:8008/patroni","b":"http://b:8008/patroni"}')
  let stopped = (): void => {}
  Object.assign(s.ha.world.postgres, {
    stop: () =>
      new Promise((resolve) => {
        stopped = () => {
          s.server.alive = false
          s.calls.push('stop')
          resolve('stopped')
        }
      }),
  })
  Object.assign(s.ha.world.peers, {
    askFailsafe: async () => {
      stopped()
      for (let i = 0; i < 50; i++) await Promise.resolve()
      return []
    },
  })
  assert.equal((await s.cycle()).rule, 'demoting-for-request')
  s.answers.renew = 'unknown'
  let rule: string | null = null
  void runCycle(s.ha, new AbortController().signal).then((result) => {
    rule = result.rule
  })
  for (let i = 0; i < 500; i++) {
    await Promise.resolve()
    if (i === 400) stopped()
  }
  assert.equal(rule, 'demoted-store-inaccessible')
  assert.ok(s.did('stop') && !s.did('release'), s.calls.join(', '))
  assert.equal(s.ha.actions.name, null)
})

test('10.3 a server that cannot be stopped keeps its lock, its fence and its role', async () => {
  const s = await demoted('graceful', (scene) => {
    Object.assign(scene.ha.world.postgres, { stop: async () => 'failed' })
  })
  assert.ok(!s.did('release') && !s.did('fence off') && !s.did('start'))
  assert.ok(s.said('ERROR PostgreSQL could not be stopped for the demotion'))
  assert.equal(s.server.role, 'primary')
})

test('10.4 the key is given away before the server has ended, once somebody has everything up to its last record', async () => {
  const order: string[] = []
  const at = (checkpoint: number) => ({ checkpoint: lsn(checkpoint), previous: lsn(checkpoint - 24) })
  const s = await demoted('graceful', (scene) => {
    scene.peer('b', { lsn: lsn(2000) })
    Object.assign(scene.ha.world.postgres, {
      stop: async (request: StopRequest) => {
        order.push(`behind: ${await request.onShutdownCheckpoint?.(at(3000))}`)
        scene.peer('b', { lsn: lsn(3000) })
        order.push(`there: ${await request.onShutdownCheckpoint?.(at(3000))}`)
        scene.calls.push('ended')
        scene.server.alive = false
        return 'stopped'
      },
    })
  })
  assert.deepEqual(order, ['behind: false', 'there: true'])
  assert.ok(s.calls.indexOf('release') < s.calls.indexOf('ended'))
  assert.ok(s.did('status 2976'), 'the position before the segment switch is published')
  assert.equal(s.calls.filter((call) => call === 'release').length, 1)
})

test('20 an agent that ends gives its lock away, in pause it leaves everything as it is', async () => {
  const never = new AbortController().signal
  const s = new Scene().primary()
  await s.cycle()
  await shutdown(s.ha, never)
  assert.ok(s.did('stop fast') && s.did('release'))
  assert.ok(s.calls.lastIndexOf('fence off') < s.calls.indexOf('release'), 'the fence is off before')
  const paused = new Scene().primary().config({ pause: true })
  await paused.cycle()
  await shutdown(paused.ha, never)
  assert.ok(!paused.did('stop') && !paused.did('release'))
  assert.ok(paused.said('INFO Leader key is not deleted and Postgresql is not stopped due paused state'))
})

test('20 a server that does not stop keeps its leader key', async () => {
  const s = new Scene().primary()
  await s.cycle()
  Object.assign(s.ha.world.postgres, { stop: async () => 'failed' })
  await shutdown(s.ha, new AbortController().signal)
  assert.ok(!s.did('release'))
  assert.ok(s.said('ERROR PostgreSQL shutdown failed, leader key not removed. Leaving watchdog running.'))
})

test('20 and 10.3 an agent that ends beside a server that is not there lets the watchdog go and says so', async () => {
  const s = new Scene().primary()
  await s.cycle()
  Object.assign(s.server, { alive: false, state: 'crashed' })
  await shutdown(s.ha, new AbortController().signal)
  assert.ok(s.did('fence off'), 'else the machine is reset when nobody feeds it any more')
  assert.ok(s.did('release'))
  assert.doesNotMatch(s.keys.get('members/a') ?? '', /xlog_location/, 'its last word is of now')
})
