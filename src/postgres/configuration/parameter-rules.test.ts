import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseVersion } from '../version.ts'
import { areAllKnown, checkRecoverySettings, checkServerParameters } from './parameter-rules.ts'
import { BOOLEANS, ENUMS, ENUMS_OR_BOOLEANS, INTEGERS, REALS, STRINGS } from './parameter-table.ts'
import { parametersFrom } from './parameters.ts'

const check = (name: string, value: string, version: string, available: readonly string[] | null = []) =>
  checkServerParameters(parametersFrom({ [name]: value }), parseVersion(version), available && new Set(available))

/** [name, value, version, written value or null, warning] */
const CASES: readonly (readonly [string, string, string, string | null, string?])[] = [
  ['work_mem', '5MB', '15', '5MB'],
  ['Work_Mem', '5MB', '15', '5MB'],
  ['work_mem', '1kB', '15', '64', 'Value=1kB of parameter=work_mem is too low, increasing to 64kB'],
  ['work_mem', '4TB', '15', '2147483647', 'Value=4TB of parameter=work_mem is too big, decreasing to 2147483647kB'],
  ['work_mem', '5mb', '15', null, 'Removing integer parameter=work_mem from the config due to the invalid value=5mb'],
  [
    'max_connections',
    '5s',
    '15',
    null,
    'Removing integer parameter=max_connections from the config due to the invalid value=5s',
  ],
  ['fsync', 'True', '15', 'True'],
  ['fsync', 'maybe', '15', null, 'Removing bool parameter=fsync from the config due to the invalid value=maybe'],
  ['synchronous_commit', 'Remote_Apply', '15', 'Remote_Apply'],
  [
    'synchronous_commit',
    'remote_apply',
    '9.5',
    null,
    'Removing enum parameter=synchronous_commit from the config due to the invalid value=remote_apply',
  ],
  ['wal_level', 'LOGICAL', '15', 'LOGICAL'],
  [
    'log_min_messages',
    'debug',
    '15',
    null,
    'Removing enum parameter=log_min_messages from the config due to the invalid value=debug',
  ],
  ['random_page_cost', '1.1', '15', '1.1'],
  ['random_page_cost', '-1', '15', '0', 'Value=-1 of parameter=random_page_cost is too low, increasing to 0'],
  ['vacuum_cost_delay', '2.5', '15', '2.5'],
  [
    'vacuum_cost_delay',
    '200ms',
    '15',
    '100',
    'Value=200ms of parameter=vacuum_cost_delay is too big, decreasing to 100ms',
  ],
  ['transaction_isolation', 'Read Committed', '15', 'Read Committed'],
  ['ssl_max_protocol_version', '', '15', ''],
  [
    'ssl_min_protocol_version',
    '',
    '15',
    null,
    'Removing enum parameter=ssl_min_protocol_version from the config due to the invalid value=',
  ],
  ['archive_command', "cp '%p' \\x", '15', "cp '%p' \\x"],
  ['pg_stat_statements.max', 'anything', '15', 'anything'],
  ['primary_conninfo', 'host=a', '15', null],
  ['wal_keep_segments', '8', '15', null, 'Removing unexpected parameter=wal_keep_segments value=8 from the config'],
  [
    'allow_in_place_tablespaces',
    'on',
    '14.4',
    null,
    'Removing unexpected parameter=allow_in_place_tablespaces value=on from the config',
  ],
  ['allow_in_place_tablespaces', 'on', '14.5', 'on'],
  ['io_combine_limit', '64', '17', '32', 'Value=64 of parameter=io_combine_limit is too big, decreasing to 328kB'],
  ['io_combine_limit', '64', '18', '64'],
  ['no_such', '1', '15', null, 'Removing unexpected parameter=no_such value=1 from the config'],
]

for (const [name, value, version, written, warning] of CASES)
  test(`2.5 ${name} = '${value}' for ${version} is written as ${written}`, () => {
    const { parameters, warnings } = check(name, value, version)
    assert.deepEqual(parameters, written === null ? [] : [{ name, value: written }])
    assert.deepEqual(warnings, warning ? [warning] : [])
  })

test('2.5 a name outside the table is kept where the binary lists it, or was not asked', () => {
  assert.deepEqual(check('vendor_thing', '1', '15', ['vendor_thing']).parameters, [
    { name: 'vendor_thing', value: '1' },
  ])
  assert.deepEqual(check('vendor_thing', '1', '15', null).parameters, [{ name: 'vendor_thing', value: '1' }])
  assert.equal(areAllKnown(parametersFrom({ vendor_thing: '1' }), 150000), false)
  assert.equal(areAllKnown(parametersFrom({ work_mem: '1', 'a.b': '1', restore_command: 'x' }), 150000), true)
})

test('2.8 recovery settings have rules of their own', () => {
  const check = (settings: Record<string, string>, version: string) => {
    const { parameters } = checkRecoverySettings(parametersFrom(settings), parseVersion(version), new Set())
    return Object.fromEntries(parameters.map(({ name, value }) => [name, value]))
  }
  const all = {
    standby_mode: 'on',
    trigger_file: 'x',
    promote_trigger_file: 'y',
    recovery_target: '',
    restore_command: 'c',
  }
  assert.deepEqual(check(all, '15'), { promote_trigger_file: 'y', recovery_target: '', restore_command: 'c' })
  assert.deepEqual(check(all, '16'), { recovery_target: '', restore_command: 'c' })
  assert.deepEqual(check(all, '11'), {
    standby_mode: 'on',
    trigger_file: 'x',
    // a name of the list counts as known before 12
    promote_trigger_file: 'y',
    recovery_target: '',
    restore_command: 'c',
  })
  assert.deepEqual(check({ recovery_min_apply_delay: '5min', recovery_target: 'now' }, '15'), {
    recovery_min_apply_delay: '5min',
  })
})

test('Appendix A: no two rules for one name hold for the same version', () => {
  const rows: (readonly [string, string])[] = [
    ...[...BOOLEANS, ...STRINGS].map(([versions, names]) => [versions, names] as const),
    ...[...ENUMS, ...ENUMS_OR_BOOLEANS].map(([versions, names]) => [versions, names] as const),
    ...[...INTEGERS, ...REALS].map(([versions, , , , names]) => [versions, names] as const),
  ]
  const ranges = new Map<string, (readonly [number, number])[]>()
  for (const [versions, names] of rows) {
    const [from = '', till] = versions.split(/[-+]/)
    const range = [parseVersion(from), till ? parseVersion(till) : Number.POSITIVE_INFINITY] as const
    assert.ok(range[0] < range[1], versions)
    for (const name of names.split(' ')) {
      for (const [a, b] of ranges.get(name) ?? []) assert.ok(range[1] <= a || range[0] >= b, `${name} ${versions}`)
      ranges.set(name, [...(ranges.get(name) ?? []), range])
    }
  }
  assert.equal(ranges.size > 330, true)
})
