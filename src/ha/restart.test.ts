import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printJson } from '../cluster/json.ts'
import { beginRestart, type RestartConditions, restartObstacle } from './restart.ts'
import { Scene } from './testing/scene.ts'

const ALWAYS: RestartConditions = { role: null, postgresVersion: null, restartPending: false }
const NONE = 'restart conditions are not satisfied'

test('13.1 a restart can be bound to a role, to an older version and to a change that waits for it; the last reason is told', async () => {
  const s = new Scene().leader('b')
  const { postgres } = s.ha.world
  const cases: readonly (readonly [Partial<RestartConditions>, string | null])[] = [
    [{}, null],
    [{ role: 'replica' }, null],
    [{ role: 'primary' }, 'host role mismatch'],
    [{ postgresVersion: '15.1' }, null],
    [{ postgresVersion: '15.0' }, 'postgres version mismatch'],
    [{ postgresVersion: 'fifteen' }, 'postgres version mismatch'],
    [{ restartPending: true }, 'pending restart flag is not set'],
    [{ role: 'primary', restartPending: true }, 'pending restart flag is not set'],
  ]
  for (const [conditions, reason] of cases) {
    s.log.length = 0
    assert.equal(restartObstacle(s.ha, { ...ALWAYS, ...conditions }), reason === null ? null : NONE)
    assert.deepEqual(s.log, reason === null ? [] : [`INFO not proceeding with the restart: ${reason}`])
  }
  Object.assign(postgres, { pendingRestart: { max_connections: { old_value: '100', new_value: '101' } } })
  assert.equal(restartObstacle(s.ha, { ...ALWAYS, restartPending: true }), null)
})

test('13.1 a synchronous standby steps down before it restarts, and is a candidate again afterwards', async () => {
  const s = new Scene().config({ synchronous_mode: true }).leader('b')
  s.tags = { clonefrom: true }
  s.keys.set('sync', printJson({ leader: 'b', sync_standby: 'a', quorum: 0 }))
  await s.cycle()
  const tagsWhileRestarting: unknown[] = []
  Object.assign(s.ha.world.postgres, {
    restart: async () => {
      tagsWhileRestarting.push(JSON.parse(s.keys.get('members/a') ?? '').tags)
      return 'running'
    },
  })
  let looks = 0
  const { dcs } = s.ha.world
  const load = dcs.load.bind(dcs)
  Object.assign(dcs, {
    load: async (...args: Parameters<typeof load>) => {
      looks += 1
      if (looks === 3) s.keys.set('sync', printJson({ leader: 'b', sync_standby: 'c', quorum: 0 }))
      return load(...args)
    },
  })
  const begun = beginRestart(s.ha, null)
  assert.ok(begun.kind === 'begun' && (await begun.ended) === 'running')
  assert.deepEqual(tagsWhileRestarting, [{ clonefrom: true, nosync: true, sync_priority: 0 }])
  assert.equal(looks, 3)
  assert.ok(s.said('INFO Waiting for primary to release us from synchronous standby'))
  await s.cycle()
  assert.deepEqual(JSON.parse(s.keys.get('members/a') ?? '').tags, { clonefrom: true })
})

test('13.1 a standby waits to be released no longer than two loop_wait, and not at all without a store', async () => {
  const s = new Scene().config({ synchronous_mode: true }).leader('b')
  s.keys.set('sync', printJson({ leader: 'b', sync_standby: 'a', quorum: 0 }))
  await s.cycle()
  const startedMs = s.nowMs
  const slow = beginRestart(s.ha, null)
  assert.ok(slow.kind === 'begun' && (await slow.ended) === 'running')
  assert.equal(s.nowMs - startedMs, 20_000)
  s.answers.load = 'unknown'
  const alone = beginRestart(s.ha, null)
  assert.ok(alone.kind === 'begun' && (await alone.ended) === 'running')
  assert.ok(s.said('WARNING Could not get cluster state, skipping synchronous standby disable'))
  assert.equal(s.nowMs - startedMs, 20_000)
})

test('13.1 only one long action at a time: a restart waits for nobody', () => {
  const s = new Scene().leader('b')
  s.ha.actions.begin('reinitialize', () => new Promise(() => {}))
  assert.deepEqual(beginRestart(s.ha, null), { kind: 'busy', running: 'reinitialize' })
})
