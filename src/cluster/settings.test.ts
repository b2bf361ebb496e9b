import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Json, JsonObject } from './json.ts'
import {
  adjustedTiming,
  type ClusterSettings,
  clusterSettings,
  DEFAULT_TIMING,
  MINIMUM_TIMING,
  primaryStopLimitMs,
  syncMode,
} from './settings.ts'

const settings = (document: JsonObject): ClusterSettings => clusterSettings(document, DEFAULT_TIMING)

test('configuration 5.3 timings are adjusted as in the examples', () => {
  const table: readonly (readonly [JsonObject, readonly number[]])[] = [
    [{}, [30, 10, 10]],
    [{ ttl: 10 }, [20, 1, 9]],
    [{ ttl: 30, loop_wait: 20 }, [30, 10, 10]],
    [{ ttl: 20, retry_timeout: 12 }, [20, 1, 9]],
    [{ ttl: '25', retry_timeout: '2' }, [25, 10, 3]],
    [{ ttl: 100, loop_wait: 0 }, [100, 1, 10]],
    [{ ttl: 30.9 }, [30, 10, 10]],
  ]
  for (const [document, [ttl, loopWait, retryTimeout]] of table)
    assert.deepEqual(adjustedTiming(document).timing, { ttl, loopWait, retryTimeout }, JSON.stringify(document))
})

test('configuration 5.3 every adjustment is told', () => {
  assert.deepEqual(adjustedTiming({ ttl: 30, loop_wait: 20 }).warnings, [
    'Violated the rule "loop_wait + 2*retry_timeout <= ttl", where ttl=30 and retry_timeout=10. Adjusting loop_wait from 20 to 10',
  ])
  assert.deepEqual(adjustedTiming({ ttl: 20, loop_wait: 0, retry_timeout: 12 }).warnings, [
    "loop_wait=0 can't be smaller than 1, adjusting...",
    'Violated the rule "loop_wait + 2*retry_timeout <= ttl", where ttl=20. Adjusting loop_wait from 1 to 1 and retry_timeout from 12 to 9',
  ])
  assert.deepEqual(adjustedTiming({ ttl: 30 }).warnings, [])
})

test('configuration 5.4 a timing that is no whole number cannot be adjusted', () => {
  for (const value of [null, '30s', '1.5', 'x', [], {}])
    for (const key of ['ttl', 'loop_wait', 'retry_timeout'])
      assert.equal(adjustedTiming({ [key]: value }).timing, undefined, `${key}=${JSON.stringify(value)}`)
})

test('configuration 5.3 adjusted timings always obey the rule and the minima, and are stable', () => {
  const seconds = fc.integer({ min: -5, max: 200 })
  fc.assert(
    fc.property(seconds, seconds, seconds, (ttl, loop_wait, retry_timeout) => {
      const { timing } = adjustedTiming({ ttl, loop_wait, retry_timeout })
      assert.ok(timing)
      assert.ok(timing.loopWait + 2 * timing.retryTimeout <= timing.ttl)
      assert.ok(timing.ttl >= MINIMUM_TIMING.ttl && timing.loopWait >= 1 && timing.retryTimeout >= 3)
      const again = adjustedTiming({ ttl: timing.ttl, loop_wait: timing.loopWait, retry_timeout: timing.retryTimeout })
      assert.deepEqual(again, { timing, warnings: [] })
    }),
  )
})

test('configuration 5.2 each key is read with its type; what cannot be read counts as not set', () => {
  const table: readonly (readonly [string, Json, keyof ClusterSettings, unknown])[] = [
    ['maximum_lag_on_failover', '2048', 'maximumLagOnFailover', 2048],
    ['maximum_lag_on_failover', '1MB', 'maximumLagOnFailover', 1048576],
    ['maximum_lag_on_syncnode', 'x', 'maximumLagOnSyncnode', -1],
    ['max_timelines_history', 5, 'maxTimelinesHistory', 5],
    ['check_timeline', 'on', 'checkTimeline', true],
    ['primary_start_timeout', 0, 'primaryStartTimeoutMs', 0],
    ['master_start_timeout', 7, 'primaryStartTimeoutMs', 7000],
    ['master_stop_timeout', 7, 'primaryStopTimeoutMs', 7000],
    ['primary_race_backoff', '3', 'primaryRaceBackoffMs', 3000],
    ['synchronous_mode', 'QUORUM', 'synchronousMode', 'quorum'],
    ['synchronous_mode', 'on', 'synchronousMode', 'on'],
    ['synchronous_mode', 'maybe', 'synchronousMode', 'off'],
    ['synchronous_mode_strict', 1, 'synchronousModeStrict', true],
    ['synchronous_node_count', null, 'synchronousNodeCount', 1],
    ['failsafe_mode', 'true', 'failsafeMode', true],
    ['pause', 'yes', 'paused', true],
    ['pause', 'false', 'paused', false],
    ['member_slots_ttl', '30min', 'memberSlotsTtlMs', 1_800_000],
    ['member_slots_ttl', 0, 'memberSlotsTtlMs', 0],
    ['member_slots_ttl', 'soon', 'memberSlotsTtlMs', 1_800_000],
    ['permanent_slots', { a: null }, 'permanentSlots', { a: null }],
    ['slots', 'x', 'permanentSlots', {}],
    ['ignore_slots', [{ name: 'a' }, 5], 'ignoreSlots', [{ name: 'a' }]],
    ['postgresql', { use_slots: 'off' }, 'useSlots', false],
    ['postgresql', 'x', 'useSlots', true],
    ['standby_cluster', { primary_slot_name: 's' }, 'standbyCluster', null],
  ]
  for (const [key, value, field, expected] of table)
    assert.deepEqual(settings({ [key]: value })[field], expected, `${key}=${JSON.stringify(value)}`)
})

test('configuration 5.2 a renamed key counts only where the new one is absent; the first non-empty slots win', () => {
  assert.equal(settings({ primary_start_timeout: 'x', master_start_timeout: 7 }).primaryStartTimeoutMs, 300_000)
  const slots = settings({ permanent_replication_slots: {}, permanent_slots: { b: {} }, slots: { c: {} } })
  assert.deepEqual(slots.permanentSlots, { b: {} })
})

test('ha 1.2 a standby cluster is never synchronous; the stop limit needs synchronous mode', () => {
  const standby = settings({
    standby_cluster: { host: 'a,b', port: 5432 },
    synchronous_mode: true,
    primary_stop_timeout: 5,
  })
  assert.equal(standby.standbyCluster?.port, '5432')
  assert.equal(syncMode(standby), 'off')
  assert.equal(primaryStopLimitMs(standby), null)
  assert.equal(primaryStopLimitMs(settings({ synchronous_mode: true, primary_stop_timeout: 5 })), 5000)
  assert.equal(primaryStopLimitMs(settings({ synchronous_mode: true })), null)
})
