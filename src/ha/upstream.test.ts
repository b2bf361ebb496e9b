import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import type { Tags } from '../cluster/tags.ts'
import { Scene } from './testing/scene.ts'
import { chooseUpstream, divergenceSource } from './upstream.ts'
import { newCycle } from './view-loading.ts'

interface Situation {
  readonly leader: string | null
  readonly tags?: Tags
  readonly settings?: JsonObject
}

async function upstreams({ leader, tags = {}, settings = {} }: Situation) {
  const s = new Scene().config(settings).leader(leader)
  s.tags = tags
  await s.cycle()
  const view = s.ha.memory.store.lockedView
  assert.ok(view)
  const c = newCycle(s.ha, leader === null ? { ...view, leader: null } : view, new AbortController().signal)
  const name = (upstream: ReturnType<typeof chooseUpstream>): string =>
    upstream === null ? 'nobody' : upstream.kind === 'remote' ? 'remote' : upstream.member.name
  const upstream = chooseUpstream(c)
  return { follows: name(upstream), rewindsTo: name(divergenceSource(c)), upstream }
}

const STANDBY = { standby_cluster: { host: 'far', restore_command: 'fetch %f', archive_cleanup_command: 'clean %r' } }

const CASES: readonly (readonly [title: string, situation: Situation, follows: string, rewindsTo: string])[] = [
  ['the leader', { leader: 'b' }, 'b', 'b'],
  ['the member that it is to cascade from', { leader: 'b', tags: { replicatefrom: 'c' } }, 'c', 'b'],
  ['the leader where that member has no key', { leader: 'b', tags: { replicatefrom: 'x' } }, 'b', 'b'],
  ['the leader where it is to cascade from itself', { leader: 'b', tags: { replicatefrom: 'a' } }, 'b', 'b'],
  ['nobody with nostream', { leader: 'b', tags: { nostream: true } }, 'nobody', 'b'],
  ['never itself', { leader: 'a' }, 'nobody', 'nobody'],
  ['nobody where there is no leader', { leader: null }, 'nobody', 'nobody'],
  ['the remote primary as the standby leader', { leader: 'a', settings: STANDBY }, 'remote', 'remote'],
  ['the standby leader in a standby cluster', { leader: 'b', settings: STANDBY }, 'b', 'remote'],
  ['the remote primary without a standby leader', { leader: null, settings: STANDBY }, 'remote', 'remote'],
  ['nobody in pause without one', { leader: null, settings: { ...STANDBY, pause: true } }, 'nobody', 'remote'],
]
for (const [title, situation, follows, rewindsTo] of CASES)
  test(`7.4, 15.1 and 15.2 a standby follows ${title}`, async () => {
    const found = await upstreams(situation)
    assert.equal(found.follows, follows)
    assert.equal(found.rewindsTo, rewindsTo)
  })

test('7.4 and 15.1 inside a standby cluster its restore and clean-up commands count', async () => {
  const { upstream } = await upstreams({ leader: 'b', settings: STANDBY })
  assert.ok(upstream?.kind === 'member')
  assert.deepEqual([upstream.restoreCommand, upstream.archiveCleanupCommand], ['fetch %f', 'clean %r'])
})
