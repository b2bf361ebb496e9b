import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Role } from '../../cluster/instance.ts'
import type { JsonObject } from '../../cluster/json.ts'
import { clusterSettings, DEFAULT_TIMING } from '../../cluster/settings.ts'
import { STRICT_PLACEHOLDER } from '../../cluster/standby-names.ts'
import type { Config } from '../../config/types.ts'
import { parametersFrom, valueOf } from './parameters.ts'
import {
  commandLineOptions,
  type ManagedSyncNames,
  needsColdRecovery,
  raisedForStandby,
  serverParameters,
} from './server-parameters.ts'

interface Given {
  readonly parameters?: JsonObject
  readonly recoveryConf?: JsonObject
  readonly dynamic?: JsonObject
  readonly version?: number
  readonly role?: Role
  readonly syncNames?: ManagedSyncNames
  readonly listen?: string
}

function computed(given: Given = {}) {
  const postgresql = {
    listen: given.listen ?? '0.0.0.0:5432',
    configDir: '/etc/pg',
    parameters: given.parameters ?? {},
    recoveryConf: given.recoveryConf ?? {},
  }
  return serverParameters({
    config: { name: 'node-1', scope: 'demo', postgresql } as unknown as Config,
    settings: clusterSettings(given.dynamic ?? {}, DEFAULT_TIMING),
    role: given.role ?? 'primary',
    version: given.version ?? 150000,
    syncNames: given.syncNames,
  })
}

const value = (name: string, given: Given = {}) => valueOf(computed(given).parameters, name)

test('1.5 and 2.3 the command line has the enforced parameters in their order, without wal_keep_size', () => {
  assert.equal(
    commandLineOptions(computed().parameters).join(' '),
    '--listen_addresses=0.0.0.0 --port=5432 --cluster_name=demo --wal_level=replica --hot_standby=on --max_connections=100 ' +
      '--max_wal_senders=10 --max_prepared_transactions=0 --max_locks_per_transaction=64 --track_commit_timestamp=off ' +
      '--max_replication_slots=10 --max_worker_processes=8 --wal_log_hints=on',
  )
})

test('2.2 listening addresses come from `listen`, IPv6 without brackets', () => {
  assert.equal(value('listen_addresses', { listen: '127.0.0.1,[::1]:6000' }), '127.0.0.1,::1')
  assert.equal(value('port', { listen: '127.0.0.1,[::1]:6000' }), '6000')
  assert.equal(value('port', { listen: 'localhost' }), '5432')
})

test('2.2 wal_level has the name that the version knows', () => {
  assert.equal(value('wal_level', { parameters: { wal_level: 'hot_standby' } }), 'replica')
  assert.equal(value('wal_level', { parameters: { wal_level: 'replica' }, version: 90500 }), 'hot_standby')
  assert.equal(value('wal_level', { parameters: { wal_level: 'logical' } }), 'logical')
  assert.equal(value('wal_level', { parameters: { wal_level: 'hot_standby' }, version: 0 }), 'hot_standby')
})

test('2.2 retention of WAL is given in the unit of the version', () => {
  const both = (given: Given) => [value('wal_keep_segments', given), value('wal_keep_size', given)]
  assert.deepEqual(both({}), [undefined, '128MB'])
  assert.deepEqual(both({ parameters: { wal_keep_segments: 10 } }), [undefined, '160MB'])
  assert.deepEqual(both({ parameters: { wal_keep_segments: 10, wal_keep_size: '1GB' } }), [undefined, '1GB'])
  assert.deepEqual(both({ version: 120000 }), ['8', undefined])
  assert.deepEqual(both({ version: 120000, parameters: { wal_keep_size: '1GB' } }), ['64', undefined])
  assert.deepEqual(both({ version: 120000, parameters: { wal_keep_size: '100MB' } }), ['6', undefined])
})

test('2.2 enforced parameters that the version does not know are dropped', () => {
  const { parameters } = computed({ version: 90300 })
  for (const name of ['cluster_name', 'track_commit_timestamp', 'max_replication_slots', 'wal_log_hints'])
    assert.equal(valueOf(parameters, name), undefined, name)
})

test('2.2 names are the same in any case, null means not set, relative access files are below the configuration', () => {
  const { parameters } = computed({
    parameters: { Work_Mem: '1MB', work_mem: '2MB', jit: null, hba_file: 'hba', ident_file: '/x' },
  })
  assert.deepEqual(parameters.get('work_mem'), { name: 'work_mem', value: '2MB' })
  assert.equal(valueOf(parameters, 'jit'), undefined)
  assert.equal(valueOf(parameters, 'hba_file'), '/etc/pg/hba')
  assert.equal(valueOf(parameters, 'ident_file'), '/x')
})

/** [dynamic, role, what the agent maintains, the user's value, result] */
const SYNC: readonly (readonly [JsonObject, Role, ManagedSyncNames, string | null, string | undefined])[] = [
  [{}, 'primary', undefined, 'a', 'a'],
  [{}, 'replica', 'ANY 1 (x)', 'a', 'a'],
  [{}, 'primary', 'ANY 1 (x)', 'a', 'ANY 1 (x)'],
  [{}, 'primary', null, null, undefined],
  [{ synchronous_mode: true }, 'primary', undefined, 'a', undefined],
  [{ synchronous_mode: true }, 'primary', 'x', 'a', 'x'],
  [{ synchronous_mode: true }, 'replica', null, 'a', undefined],
  [{ synchronous_mode: true, synchronous_mode_strict: true }, 'primary', undefined, 'a', STRICT_PLACEHOLDER],
  [{ synchronous_mode: true, synchronous_mode_strict: true }, 'promoted', undefined, null, STRICT_PLACEHOLDER],
  [{ synchronous_mode: true, synchronous_mode_strict: true }, 'replica', undefined, null, undefined],
  [{ synchronous_mode: true, standby_cluster: { host: 'h' } }, 'standby_leader', undefined, 'a', 'a'],
]

for (const [dynamic, role, syncNames, users, expected] of SYNC)
  test(`2.2 synchronous_standby_names of a ${role} with ${JSON.stringify(dynamic)}, maintained ${syncNames}, configured ${users}`, () => {
    const given = { dynamic, role, syncNames, parameters: { synchronous_standby_names: users } }
    assert.equal(value('synchronous_standby_names', given), expected)
  })

test('2.2 recovery settings among the parameters belong to recovery, and win over those of recovery_conf', () => {
  const { parameters, recoveryConf } = computed({
    parameters: { restore_command: 'a', trigger_file: 't' },
    recoveryConf: { restore_command: 'b', recovery_min_apply_delay: '5s' },
  })
  assert.equal(valueOf(parameters, 'restore_command'), undefined)
  assert.equal(valueOf(recoveryConf, 'restore_command'), 'a')
  assert.equal(valueOf(recoveryConf, 'recovery_min_apply_delay'), '5s')
  assert.equal(valueOf(recoveryConf, 'promote_trigger_file'), 't')
  assert.equal(valueOf(recoveryConf, 'trigger_file'), undefined)
})

const CONTROL = {
  'max_connections setting': '200',
  'max_prepared_xacts setting': '0',
  'max_locks_per_xact setting': '64',
  'max_worker_processes setting': '8',
}

test('2.2 a standby starts with what the control file remembers, and says that a restart is pending', () => {
  const raised = raisedForStandby(computed().parameters, CONTROL, 150000)
  assert.equal(valueOf(raised.parameters, 'max_connections'), '200')
  assert.deepEqual(raised.pendingRestart, { max_connections: { old_value: '200', new_value: '100' } })
  assert.deepEqual(raised.messages, [
    {
      level: 'info',
      text:
        'max_connections value in pg_controldata: 200, in the global configuration: 100. ' +
        "pg_controldata value will be used. Setting 'Pending restart' flag",
    },
    { level: 'warning', text: 'max_wal_senders setting is missing from pg_controldata output' },
  ])
  assert.equal(raisedForStandby(computed().parameters, CONTROL, 110000).messages.length, 1)
})

test('2.2 a restored cluster recovers cold where its replay could meet raised parameters', () => {
  const cold = (recoveryConf: JsonObject | null, version = 150000, keepExistingRecoveryConf = false) =>
    needsColdRecovery({ keepExistingRecoveryConf, recoveryConf: recoveryConf && parametersFrom(recoveryConf) }, version)
  assert.equal(cold(null), false)
  assert.equal(cold(null, 150000, true), true)
  assert.equal(cold({ restore_command: 'x' }), false)
  assert.equal(cold({ recovery_target_action: 'Promote' }), true)
  assert.equal(cold({ recovery_target_action: 'pause', pause_at_recovery_target: false }), false)
  assert.equal(cold({ pause_at_recovery_target: false }), true)
  assert.equal(cold({ recovery_target_action: 'promote' }, 90400), false)
})
