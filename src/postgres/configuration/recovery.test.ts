import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../../cluster/json.ts'
import { memberDataFrom } from '../../cluster/member.ts'
import { parseStandbyCluster } from '../../cluster/settings.ts'
import { version } from '../../cluster/stored.ts'
import type { Config } from '../../config/types.ts'
import type { Upstream } from '../../ports/postgres.ts'
import { parametersFrom, sortedParameters } from './parameters.ts'
import {
  type CurrentSetting,
  comparedNames,
  compareRecovery,
  needsRestartByVersion,
  type ReceiverFact,
} from './recovery-comparison.ts'
import { followSettings, isStandby, writtenSettings } from './recovery-settings.ts'

const config = {
  name: 'node-1',
  scope: 'demo',
  postgresql: {
    database: 'postgres',
    krbsrvname: null,
    replication: {
      username: 'replicator',
      password: 'secret',
      options: { sslrootcert: '/ca', options: '-c x', connect_timeout: '9' },
    },
  },
} as unknown as Config

function member(url: string, name = 'node-2'): Upstream {
  const data = memberDataFrom({ conn_url: url })
  return { kind: 'member', member: { name, version: version('1'), session: null, data } }
}

function remote(document: JsonObject): Upstream {
  const standbyCluster = parseStandbyCluster(document)
  assert.ok(standbyCluster)
  return { kind: 'remote', name: 'remote_member:1', standbyCluster }
}

const LEADER = member('postgres://10.0.0.2:5433/postgres')

function follow(
  upstream: Upstream | null,
  more: { readonly major?: number; readonly recoveryConf?: JsonObject; readonly useSlots?: boolean } = {},
) {
  const { major = 150000, recoveryConf = {}, useSlots = true } = more
  return followSettings(upstream, { config, recoveryConf: parametersFrom(recoveryConf), version: major, useSlots })
}

function written(upstream: Upstream | null, more: Parameters<typeof follow>[1] = {}) {
  const settings = writtenSettings(follow(upstream, more), more.major ?? 150000, '/pgpass0')
  return Object.fromEntries(sortedParameters(settings).map(({ name, value }) => [name, value]))
}

test('2.8 a standby of a member: its connection without password, its slot, the latest timeline, no target', () => {
  assert.deepEqual(
    written(LEADER, {
      recoveryConf: { restore_command: 'cp /archive/%f "%p"', recovery_target_name: 'x', primary_conninfo: 'host=old' },
    }),
    {
      primary_conninfo:
        'dbname=postgres user=replicator passfile=/pgpass0 host=10.0.0.2 port=5433 sslmode=prefer sslrootcert=/ca ' +
        'application_name=node-1 gssencmode=prefer channel_binding=prefer',
      primary_slot_name: 'node_1',
      recovery_target: '',
      recovery_target_lsn: '',
      recovery_target_name: '',
      recovery_target_time: '',
      recovery_target_timeline: 'latest',
      recovery_target_xid: '',
      restore_command: 'cp /archive/%f "%p"',
    },
  )
  assert.ok(isStandby(follow(LEADER)))
})

test('2.8 before 12 the mode is a setting, and before 10 the password is in the connection string', () => {
  const settings = written(LEADER, { major: 90600 })
  assert.equal(settings['standby_mode'], 'on')
  assert.equal(settings['recovery_target'], undefined)
  assert.equal(
    settings['primary_conninfo'],
    'dbname=postgres user=replicator password=secret host=10.0.0.2 port=5433 sslmode=prefer sslrootcert=/ca application_name=node-1',
  )
})

test('2.8 nobody to follow, itself or a member without address: neither connection nor slot', () => {
  for (const upstream of [null, member('postgres://10.0.0.1/postgres', 'node-1'), member('')]) {
    const settings = written(upstream)
    assert.equal(settings['primary_conninfo'], undefined)
    assert.equal(settings['primary_slot_name'], undefined)
    assert.equal(settings['recovery_target_timeline'], 'latest')
  }
})

test('2.8 without slots, or before 9.4, no slot is named', () => {
  assert.equal(written(LEADER, { useSlots: false })['primary_slot_name'], undefined)
  assert.equal(written(LEADER, { major: 90300 })['primary_slot_name'], undefined)
})

test('2.8 a remote source brings its commands and delay; several hosts want the writable one', () => {
  const source = remote({
    host: 'a,b',
    port: '1,2',
    primary_slot_name: 'the-slot',
    restore_command: 'r',
    recovery_min_apply_delay: '5min',
  })
  const settings = written(source, { recoveryConf: { restore_command: 'own' } })
  assert.match(settings['primary_conninfo'] ?? '', / host=a,b port=1,2 .*target_session_attrs=read-write/)
  assert.equal(settings['primary_slot_name'], 'the_slot')
  assert.equal(settings['restore_command'], 'r')
  assert.equal(settings['recovery_min_apply_delay'], '5min')
  const bare = written(remote({ host: 'a,b' }))
  assert.doesNotMatch(bare['primary_conninfo'] ?? '', /target_session_attrs/)
  assert.equal(bare['primary_slot_name'], undefined)
  assert.equal(written(remote({ restore_command: 'r' }))['primary_conninfo'], undefined)
})

test('2.8 the end of a target is said in the words of the version', () => {
  const end = (settings: JsonObject, major: number) =>
    Object.fromEntries(
      sortedParameters(writtenSettings({ values: parametersFrom(settings), primaryConninfo: null }, major, '')).map(
        ({ name, value }) => [name, value],
      ),
    )
  assert.deepEqual(end({ pause_at_recovery_target: false }, 150000), { recovery_target_action: 'promote' })
  assert.deepEqual(end({ pause_at_recovery_target: true }, 150000), { recovery_target_action: 'pause' })
  assert.deepEqual(end({ recovery_target_action: 'promote' }, 90400), { pause_at_recovery_target: 'false' })
})

// -- 2.10

interface Case {
  readonly major?: number
  readonly upstream?: Upstream | null
  readonly recoveryConf?: JsonObject
  readonly change?: Readonly<Record<string, Partial<CurrentSetting>>>
  readonly receiver?: ReceiverFact | null
  readonly passfileFits?: boolean
}

/** A server that has what would be written for LEADER, changed as the case says. */
function difference({
  major = 150000,
  upstream = LEADER,
  recoveryConf,
  change = {},
  receiver = null,
  passfileFits = true,
}: Case) {
  const has = written(LEADER, { major })
  const current = new Map(
    comparedNames(major).map((name): [string, CurrentSetting] => [
      name,
      {
        value: has[name] ?? (name === 'recovery_min_apply_delay' ? '0' : ''),
        needsRestart: needsRestartByVersion(name, major) || name.startsWith('recovery_target'),
        isForeign: false,
        ...change[name],
      },
    ]),
  )
  const wanted = follow(upstream, { major, ...(recoveryConf ? { recoveryConf } : {}) })
  return compareRecovery({ wanted, current, receiver, version: major, passfileFits: () => passfileFits })
}

const OTHER = member('postgres://10.0.0.3:5433/postgres', 'node-3')
const CONNINFO = written(LEADER)['primary_conninfo'] ?? ''

test('2.10 a server that has what is wanted needs nothing, in every version', () => {
  for (const major of [90600, 100000, 110000, 120000, 130000, 140000, 150000, 160000, 170000, 180000])
    assert.equal(difference({ major }), 'none', String(major))
})

test('2.10 the matrix of what a change needs', () => {
  const matrix: readonly (readonly [string, Case, readonly [string, string, string, string]])[] = [
    ['primary_conninfo', { upstream: OTHER }, ['restart', 'restart', 'reload', 'reload']],
    ['restore_command', { recoveryConf: { restore_command: 'x' } }, ['restart', 'restart', 'restart', 'reload']],
    [
      'archive_cleanup_command',
      { recoveryConf: { archive_cleanup_command: 'x' } },
      ['restart', 'reload', 'reload', 'reload'],
    ],
    [
      'recovery_min_apply_delay',
      { recoveryConf: { recovery_min_apply_delay: '5s' } },
      ['restart', 'reload', 'reload', 'reload'],
    ],
    [
      'recovery_target_timeline',
      { change: { recovery_target_timeline: { value: '1' } } },
      ['restart', 'restart', 'restart', 'restart'],
    ],
  ]
  for (const [name, given, expected] of matrix)
    assert.deepEqual(
      [110000, 120000, 130000, 140000].map((major) => difference({ ...given, major })),
      expected,
      name,
    )
})

test('2.10 what the receiver works with counts more than what is configured', () => {
  const receiver = {
    slotName: 'node_1',
    conninfo: `${CONNINFO} fallback_application_name=walreceiver`.replace('dbname=postgres', 'dbname=replication'),
  }
  assert.equal(difference({ receiver }), 'none')
  assert.equal(difference({ receiver: { ...receiver, slotName: null } }), 'reload', 'it streams without a slot')
  assert.equal(
    difference({ receiver: { ...receiver, conninfo: receiver.conninfo.replace('10.0.0.2', '10.0.0.9') } }),
    'reload',
  )
})

test('2.10 libpq defaults that are not written out are no difference, extra keywords neither', () => {
  const bare = CONNINFO.replace(' sslmode=prefer', '')
    .replace(' gssencmode=prefer', '')
    .replace(' channel_binding=prefer', '')
  assert.equal(difference({ change: { primary_conninfo: { value: `${bare} keepalives=1` } } }), 'none')
  assert.equal(
    difference({ change: { primary_conninfo: { value: CONNINFO.replace('sslmode=prefer', 'sslmode=require') } } }),
    'reload',
  )
})

test('2.10 the database counts from 17 on', () => {
  const has = (major: number) =>
    (written(LEADER, { major })['primary_conninfo'] ?? '').replace('dbname=postgres', 'dbname=x')
  for (const [major, expected] of [
    [160000, 'none'],
    [170000, 'reload'],
  ] as const)
    assert.equal(difference({ major, change: { primary_conninfo: { value: has(major) } } }), expected)
})

test('2.10 a connection that cannot be read, or that nobody wants, is a difference', () => {
  assert.equal(difference({ change: { primary_conninfo: { value: 'host' } } }), 'reload')
  assert.equal(difference({ upstream: null }), 'reload')
  assert.equal(
    difference({ upstream: null, change: { primary_conninfo: { value: '' }, primary_slot_name: { value: 'x' } } }),
    'none',
  )
})

test('2.10 a password file with other lines is a difference', () => {
  assert.equal(difference({ passfileFits: false }), 'reload')
})

test('2.10 what the operator gives in an included file is his, as long as we want nothing there', () => {
  const change = { restore_command: { value: 'his', isForeign: true } }
  assert.equal(difference({ change }), 'none')
  assert.equal(difference({ change, recoveryConf: { restore_command: 'ours' } }), 'reload')
  assert.equal(difference({ change: { restore_command: { value: 'left over' } } }), 'reload')
})

test('2.10 a delay is compared as a time', () => {
  const change = { recovery_min_apply_delay: { value: '300000' } }
  assert.equal(difference({ change, recoveryConf: { recovery_min_apply_delay: '5min' } }), 'none')
})
