import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Lsn } from '../cluster/lsn.ts'
import { timeline } from '../cluster/timeline.ts'
import type { ControlData } from '../ports/postgres.ts'
import type { CommandRunner } from './parts.ts'
import { parseWalRecord, shutdownPositions } from './shutdown-positions.ts'

const CHECKPOINT =
  'rmgr: XLOG        len (rec/tot):    114/   114, tx:          0, lsn: 0/03000028, prev 0/020001A8, desc: CHECKPOINT_SHUTDOWN redo 0/3000028; tli 1; prev tli 1; fpw true; oldest running xid 0; shutdown'
const SWITCH =
  'rmgr: XLOG        len (rec/tot):     24/    24, tx:          0, lsn: 0/020001A8, prev 0/02000170, desc: SWITCH '
const COMMIT =
  'rmgr: Transaction len (rec/tot):     34/    34, tx:        735, lsn: 0/020001A8, prev 0/02000170, desc: COMMIT 2025-11-21'

const CONTROL = {
  clusterState: 'shut down',
  checkpointLsn: 0x3000028 as Lsn,
  checkpointTimeline: timeline(1),
} as ControlData

function waldump(records: Readonly<Record<string, string>>): CommandRunner {
  return {
    async run(argv) {
      const stdout = records[argv[argv.indexOf('-s') + 1] as string] ?? ''
      return { code: 0, stdout: `${stdout}\n`, stderr: '', failure: null }
    },
  }
}

const positions = (records: Readonly<Record<string, string>>, control: ControlData | null = CONTROL) =>
  shutdownPositions(waldump(records), { path: (tool) => tool }, '/d', control, new AbortController().signal)

test('1.12 a segment switch before the shutdown checkpoint is the previous position', async () => {
  assert.deepEqual(await positions({ '0/3000028': CHECKPOINT, '0/20001A8': SWITCH }), {
    checkpoint: 0x3000028,
    previous: 0x20001a8,
  })
})

test('1.12 without a switch both positions are the checkpoint', async () => {
  for (const before of [COMMIT, ''])
    assert.deepEqual(await positions({ '0/3000028': CHECKPOINT, '0/20001A8': before }), {
      checkpoint: 0x3000028,
      previous: 0x3000028,
    })
})

test('1.12 a server that is not shut down, or whose record is another, has no positions', async () => {
  const all = { '0/3000028': CHECKPOINT }
  assert.equal(await positions(all, null), null)
  assert.equal(await positions(all, { ...CONTROL, clusterState: 'shut down in recovery' }), null)
  assert.equal(await positions({ '0/3000028': COMMIT }), null)
  assert.equal(await positions({}), null)
})

test('a record of pg_waldump is read, anything else is none', () => {
  assert.deepEqual(parseWalRecord(SWITCH), {
    resourceManager: 'XLOG',
    lsn: 0x20001a8,
    previous: 0x2000170,
    description: 'SWITCH',
  })
  assert.equal(parseWalRecord('pg_waldump: error: could not find a valid record'), null)
})
