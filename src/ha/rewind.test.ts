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
