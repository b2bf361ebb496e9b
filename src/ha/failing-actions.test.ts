import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../cluster/json.ts'
import { lsn } from '../cluster/lsn.ts'
import { timeline } from '../cluster/timeline.ts'
import { textForm } from '../cluster/values.ts'
import type { Postgres } from '../ports/postgres.ts'
import { Scene } from './testing/scene.ts'

interface Case {
  readonly action: string
  readonly scene: (s: Scene) => void
  readonly fails: Partial<Postgres>
}

const failedStart: Partial<Postgres> = { follow: async () => 'failed' }
const failedStop: Partial<Postgres> = { stop: async () => 'failed' }
const noCopy: Partial<Postgres> = { clone: async () => false }

function diverged(s: Scene): void {
  s.leader('b').stopped('shut down')
  s.server.rewindSource = { kind: 'primary', timeline: timeline(2), lsn: lsn(5000), history: [] }
}

const REPEATED: readonly Case[] = [
  {
    action: "bootstrap from leader 'b'",
    scene: (s) => Object.assign(s.leader('b').stopped('').server, { directory: { kind: 'empty' } }),
    fails: noCopy,
  },
  {
    action: 'bootstrap (without leader)',
    scene: (s) => Object.assign(s.leader(null).stopped('').server, { directory: { kind: 'empty' } }),
    fails: { ...noCopy, canCloneWithoutSource: () => true },
  },
  {
    action: 'restarting after failure',
    scene: (s) => s.leader('b').stopped('shut down in recovery'),
    fails: failedStart,
  },
  {
    action: 'changing primary_conninfo and restarting',
    scene: (s) => Object.assign(s.leader('b').server, { difference: 'restart' }),
    fails: failedStart,
  },
  {
    action: 'running pg_rewind from b',
    scene: diverged,
    fails: { rewind: async () => ({ kind: 'postponed', reason: 'not now' }) },
  },
  {
    action: 'reinitializing due to diverged timelines',
    scene: (s) => {
      diverged(s)
      s.server.canRewind = false
    },
    fails: { ...noCopy, removeOnDivergedTimelines: true },
  },
  { action: 'starting after demotion', scene: (s) => s.primary().leader('b'), fails: failedStart },
  {
    action: 'switchover: demote',
    scene: (s) => s.primary().request({ leader: 'a', member: 'b' }).peer('b'),
    fails: failedStop,
  },
  {
    action: 'demoting to a standby cluster',
    scene: (s) => s.primary().config({ standby_cluster: { host: 'far' } }),
    fails: failedStop,
  },
  { action: 'promote', scene: (s) => s.leader(null), fails: { promote: async () => 'failed' } },
  {
    action: 'copy_logical_slots',
    scene: (s) => s.leader('b'),
    fails: { syncSlots: async () => ['changes'], copyLogicalSlots: async () => false },
  },
]

/** Runs one cycle. @returns what was begun, and the pauses that were made after its end */
async function after(scene: Case['scene'], fails: Partial<Postgres>): Promise<{ begun: string[]; pauses: number[] }> {
  const s = new Scene()
  const begun: string[] = []
  const pauses: number[] = []
  const { clock, journal, postgres } = s.ha.world
  Object.assign(postgres, fails)
  scene(s)
  Object.assign(journal, {
    record: ({ what, detail }: { what: string; detail?: JsonObject }) => {
      if (what === 'begin action') begun.push(textForm(detail?.['action']))
    },
  })
  Object.assign(clock, {
    sleep: async (ms: number) => {
      if (s.ha.actions.name === null) pauses.push(ms)
      s.nowMs += ms
    },
  })
  await s.cycle()
  return { begun, pauses }
}

for (const { action, scene, fails } of REPEATED) {
  test(`1.6 "${action}" that fails at once is not begun again at once`, async () => {
    const { begun, pauses } = await after(scene, fails)
    assert.deepEqual(begun, [action])
    assert.ok(pauses.includes(1000), `pauses: ${pauses.join(', ')}`)
  })
}

test('1.6 what a failover waits for is told at once: a primary that does not start, a script that forbids a promotion', async () => {
  const start = await after((s) => Object.assign(s.primary().stopped('in production').server, { state: 'crashed' }), {
    startAsPrimary: async () => 'failed',
  })
  assert.deepEqual([start.begun, start.pauses], [['starting primary after failure'], []])
  const script = await after((s) => s.leader(null), { prePromote: async () => false })
  assert.deepEqual([script.begun, script.pauses], [['promote'], []])
})
