import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Lsn, parseLsn, ZERO_LSN } from '../../cluster/lsn.ts'
import { parseControlData } from '../control-data.ts'
import { substituted } from './archive.ts'
import { missingSegment } from './pg-rewind.ts'
import { paddedLsn, recordEnd, stoppedPosition } from './position.ts'

const at = (text: string): Lsn => parseLsn(text) as Lsn

function control(state: string, minimum = '0/0', minimumTimeline = '0') {
  return parseControlData(
    [
      `Database cluster state:               ${state}`,
      'Latest checkpoint location:           0/5000028',
      "Latest checkpoint's TimeLineID:       3",
      `Minimum recovery ending location:     ${minimum}`,
      `Min recovery ending loc's timeline:   ${minimumTimeline}`,
    ].join('\n'),
  )
}

const CHECKPOINT = { timeline: 3, lsn: at('0/5000028'), inRecovery: false }

test('6.3 a stopped server stands where its control file says', () => {
  assert.deepEqual(stoppedPosition(control('shut down')), CHECKPOINT)
  for (const state of ['shut down in recovery', 'in archive recovery']) {
    assert.deepEqual(stoppedPosition(control(state, '0/6000000', '2')), {
      timeline: 2,
      lsn: at('0/6000000'),
      inRecovery: true,
    })
    assert.deepEqual(stoppedPosition(control(state)), CHECKPOINT, 'a crashed primary has no minimum')
  }
  for (const state of ['in production', 'shutting down', 'in crash recovery', 'starting up'])
    assert.equal(stoppedPosition(control(state, '0/6000000', '2')), null, state)
  assert.equal(stoppedPosition(null), null)
})

test('positions for tools have a padded right half', () => {
  assert.equal(paddedLsn(at('16/B374D848')), '16/B374D848')
  assert.equal(paddedLsn(at('0/28')), '0/00000028')
})

const RECORD =
  'rmgr: XLOG        len (rec/tot):    114/   114, tx:          0, lsn: 0/05000028, prev 0/04FFFFF0, desc: CHECKPOINT_SHUTDOWN redo 0/5000028; shutdown\n'

const ENDS: readonly (readonly [string, string, string, string])[] = [
  [
    '15',
    RECORD,
    'pg_waldump: error: error in WAL record at 0/5000028: invalid record length at 0/50000A0: wanted 24, got 0\n',
    '0/50000A0',
  ],
  [
    '16',
    RECORD,
    'pg_waldump: error: error in WAL record at 0/5000028: invalid record length at 0/50000A0: expected at least 24, got 0\n',
    '0/50000A0',
  ],
  [
    '9.5',
    RECORD,
    'pg_xlogdump: FATAL:  error in WAL record at 0/5000028: invalid record length at 0/50000A0\n',
    '0/50000A0',
  ],
  [
    '19',
    RECORD,
    'pg_waldump: error: error in WAL record at 0/05000028: invalid record length at 0/050000A0: expected\n',
    '0/50000A0',
  ],
  ['more after it', RECORD + RECORD, '', '0/0'],
  ['another record', RECORD, 'error in WAL record at 0/5000029: invalid record length at 0/50000A0: wanted', '0/0'],
  ['another complaint', RECORD, 'pg_waldump: error: could not find file', '0/0'],
  ['nothing', '', '', '0/0'],
]

for (const [name, stdout, stderr, expected] of ENDS)
  test(`6.3 the end of the shutdown checkpoint, as printed: ${name}`, () => {
    assert.equal(recordEnd(at('0/5000028'), stdout, stderr), expected === '0/0' ? ZERO_LSN : at(expected))
  })

test('6.5 the segment that pg_rewind misses is read from its complaint', () => {
  const segment = '00000001000000000000001F'
  const stderr = `pg_rewind: error: could not open file "/pgdata/pg_wal/${segment}": No such file or directory\n`
  assert.equal(missingSegment({ stderr, stdout: '' }), segment)
  assert.equal(missingSegment({ stderr: '', stdout: stderr.replace('/pgdata/pg_wal', 'pg_xlog') }), segment)
  assert.equal(missingSegment({ stderr: 'could not open file "/pgdata/base/1": x', stdout: '' }), null)
})

test('6.4 archive and restore commands are filled in', () => {
  assert.equal(
    substituted('cp %p /a/%f %r %% %x', '/d/pg_wal', '000000010000000000000003'),
    'cp /d/pg_wal/000000010000000000000003 /a/000000010000000000000003 000000010000000000000001 % %x',
  )
})
