import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lsn } from '../cluster/lsn.ts'
import { timeline } from '../cluster/timeline.ts'
import { Scene } from './testing/scene.ts'

/** A former primary that went on after its leader had left its timeline at 900. */
function diverged(): Scene {
  const s = new Scene().leader('b').stopped('shut down')
  s.server.inRecovery = false
  s.server.recoverySignal = false
  s.server.rewindSource = {
    kind: 'primary',
    timeline: timeline(2),
    lsn: lsn(5000),
    history: [{ timeline: timeline(1), switchpoint: lsn(900), reason: 'no recovery target specified' }],
  }
  return s
}

test('5.2 what a rewind throws away is in the journal before the rewind begins', async () => {
  const s = diverged()
  const entries: unknown[] = []
  const { journal } = s.ha.world
  const record = journal.record.bind(journal)
  Object.assign(journal, {
    record: (entry: Parameters<typeof record>[0]) => {
      if (entry.what === 'throw away WAL') entries.push({ ...entry, rewound: s.did('rewind') })
    },
  })
  await s.cycle()
  assert.deepEqual(entries, [
    {
      kind: 'did',
      what: 'throw away WAL',
      detail: { timeline: 1, from: 900, to: 1000, bytes: 100, by: 'pg_rewind' },
      rewound: false,
    },
  ])
  assert.ok(s.said('WARNING 100 bytes of WAL on timeline 1 from 0/384 to 0/3E8 are not in the history of b'))
  assert.ok(s.did('rewind'))
})

/** A standby cluster in which everybody has something that the site never had. */
function divergedStandby(): Scene {
  const s = diverged().config({ standby_cluster: { host: 'far' } })
  s.member('b', { role: 'standby_leader', timeline: 1 })
  return s
}

test('5.2 and 15.1 in a standby cluster the others rewind after their leader, so that a site lost meanwhile ruins one copy only', async () => {
  const s = divergedStandby()
  assert.equal((await s.cycle()).rule, 'start-secondary')
  assert.equal(s.ha.memory.divergence.state, 'needed')
  s.leader(null).tags = { nofailover: true }
  await s.cycle()
  assert.ok(!s.did('rewind'), 'nor where nobody leads')
  s.leader('b').member('b', { role: 'standby_leader', timeline: 2 })
  assert.equal((await s.cycle()).text, 'running pg_rewind from remote_member')
  const leads = divergedStandby().leader('a')
  assert.equal((await leads.cycle()).text, 'running pg_rewind from remote_member')
})

test('5.2 and 15.1 a member whose data are of no use until they are rewound does not wait for a leader of the standby cluster', async () => {
  const s = divergedStandby().leader(null)
  s.tags = { nofailover: true }
  s.server.starts = false
  assert.equal((await s.cycle()).rule, 'follow-remote-unhealthy')
  assert.equal((await s.cycle()).text, 'running pg_rewind from remote_member')
})

test('5.2 a member that was to be rewound from the site compares again with its own leader once the cluster is promoted', async () => {
  const s = divergedStandby()
  await s.cycle()
  s.config({}).member('b', { role: 'primary', timeline: 1 })
  s.server.rewindSource = { kind: 'primary', timeline: timeline(1), lsn: lsn(5000), history: [] }
  assert.equal((await s.cycle()).rule, 'following-leader')
  assert.equal(s.ha.memory.divergence.state, 'not-needed')
  assert.ok(!s.did('rewind'))
})

test('5.3 where two histories bear one number pg_rewind would see nothing to do: a copy is made in its place', async () => {
  for (const [canRewind, removes, copies] of [
    [true, false, true],
    [false, true, true],
    [true, true, true],
    [false, false, false],
  ] as const) {
    const s = diverged()
    s.server.rewindSource = { kind: 'primary', timeline: timeline(1), lsn: lsn(900), history: [] }
    Object.assign(s.ha.world.postgres, { canRewind: async () => canRewind, removeOnDivergedTimelines: removes })
    const { rule } = await s.cycle()
    assert.equal(rule === 'reinitialize-diverged', copies, rule)
    assert.equal(s.said('WARNING Timeline 1 here and timeline 1 of b are two histories of one number'), copies)
    assert.ok(!s.did('rewind'))
  }
})
