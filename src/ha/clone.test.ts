import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import type { CloneRequest } from '../ports/postgres.ts'
import { Scene } from './testing/scene.ts'

/** An empty member; what it asks of the replica methods. */
function empty(settings: JsonObject = {}): { readonly s: Scene; readonly asked: CloneRequest[] } {
  const s = new Scene().config(settings).leader('b')
  const asked: CloneRequest[] = []
  Object.assign(s.server, { directory: { kind: 'empty' }, alive: false })
  const { postgres } = s.ha.world
  const clone = postgres.clone.bind(postgres)
  Object.assign(postgres, {
    clone: async (request: CloneRequest, signal: AbortSignal) => {
      asked.push(request)
      return clone(request, signal)
    },
  })
  return { s, asked }
}

const OFFERS = { tags: { clonefrom: true } }

test('4.1, postgres 5.1 the source is any running member that offers itself, at random, never this one or the leader; else the leader', async () => {
  const sources = async (scene: (s: Scene) => void, chance = 0): Promise<string> => {
    const { s } = empty()
    scene(s)
    Object.assign(s.ha.world.random, { next: () => chance })
    return (await s.cycle()).text
  }
  assert.equal(await sources(() => {}), "trying to bootstrap from leader 'b'")
  assert.equal(await sources((s) => s.member('c', OFFERS)), "trying to bootstrap from replica 'c'")
  assert.equal(
    await sources((s) => s.member('c', { ...OFFERS, state: 'starting' })),
    "trying to bootstrap from leader 'b'",
  )
  assert.equal(await sources((s) => s.member('a', OFFERS).member('b', OFFERS)), "trying to bootstrap from leader 'b'")
  const two = (s: Scene): Scene => s.member('c', OFFERS).member('d', OFFERS)
  assert.equal(await sources(two, 0.4), "trying to bootstrap from replica 'c'")
  assert.equal(await sources(two, 0.6), "trying to bootstrap from replica 'd'")
})

test('4.1, postgres 5.1 without a leader only a method that needs no source, and only if nobody is initializing', async () => {
  const alone = async (initialize: string, works: boolean): Promise<string> => {
    const { s, asked } = empty()
    s.leader(null).keys.set('initialize', initialize)
    Object.assign(s.ha.world.postgres, { canCloneWithoutSource: () => works })
    const { text } = await s.cycle()
    assert.deepEqual(
      asked.map(({ source }) => source),
      text.includes('without') ? [null] : [],
    )
    return text
  }
  assert.equal(await alone('7000000000000000001', true), 'trying to bootstrap (without leader)')
  assert.equal(await alone('7000000000000000001', false), 'waiting for leader to bootstrap')
  assert.equal(await alone('', true), 'waiting for leader to bootstrap')
})

test('4.2 a copy that failed is removed and made anew by the next cycle', async () => {
  const { s } = empty()
  Object.assign(s.ha.world.postgres, { clone: async () => false })
  await s.cycle()
  assert.ok(s.said("ERROR failed to bootstrap from leader 'b'"))
  assert.ok(s.did('remove data directory'))
  assert.ok(!s.did('start following'))
})

test('4.2 and 15.1 in a standby cluster copies are made by its methods, and its first member copies the remote primary', async () => {
  const standby = { standby_cluster: { host: 'far', port: 5433, create_replica_methods: ['archive'] } }
  const { s, asked } = empty(standby)
  await s.cycle()
  assert.deepEqual(asked[0]?.methods, ['archive'])
  const plain = empty({ standby_cluster: { host: 'far' } })
  await plain.s.cycle()
  assert.deepEqual(plain.asked[0]?.methods, ['basebackup'], 'the methods of the file may hold a history of before')
  const first = empty(standby)
  first.s.newCluster()
  await first.s.cycle()
  const [request] = first.asked
  assert.ok(request?.source?.kind === 'remote')
  assert.equal(request.source.standbyCluster.host, 'far')
  assert.ok(first.s.said('INFO bootstrapped clone from remote member far:5433'))
  assert.ok(first.s.did('start following remote as standby_leader'))
  assert.equal(first.s.ha.memory.bootstrap.result, true)
})

test('4.1 in a standby cluster that nobody is left of, a member that lost its data copies the remote primary', async () => {
  const far = { standby_cluster: { host: 'far', port: 5433 } }
  const alone = async (scene: (s: Scene) => void, settings: JsonObject = far): Promise<string> => {
    const { s, asked } = empty(settings)
    s.leader(null).keys.set('initialize', '7000000000000000001')
    s.keys.delete('members/c')
    scene(s.member('a', { role: 'uninitialized' }).member('b', { role: 'uninitialized' }))
    const { text } = await s.cycle()
    assert.deepEqual(
      asked.map(({ source }) => source?.kind),
      text.includes('clone from') ? ['remote'] : [],
    )
    return text
  }
  assert.equal(await alone(() => {}), 'trying to bootstrap clone from remote member far:5433')
  const waits = 'waiting for standby_leader to bootstrap'
  assert.equal(await alone((s) => s.member('b', { role: 'replica' })), waits, 'who has data will lead')
  assert.equal(await alone((s) => s.keys.set('initialize', '')), waits, 'somebody is at it')
  assert.equal(await alone(() => {}, { standby_cluster: { restore_command: 'cp' } }), waits)
  assert.equal(await alone(() => {}, {}), 'waiting for leader to bootstrap')
})
