import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  failoverPriority,
  isClonefrom,
  isNofailover,
  isNoloadbalance,
  isNostream,
  isNosync,
  publishedTags,
  replicatefrom,
  syncPriority,
  type Tags,
  tagConflicts,
} from './tags.ts'

test('configuration 12 flags that are off are not published, unless their priority is there; order and types stay', () => {
  const table: readonly (readonly [Tags, string])[] = [
    [{ failover_priority: '1', nofailover: true }, '{"failover_priority":"1","nofailover":true}'],
    [{ nofailover: false, nosync: 0, clonefrom: '', noloadbalance: null, nostream: false }, '{}'],
    [{ nofailover: false, failover_priority: 0 }, '{"nofailover":false,"failover_priority":0}'],
    [{ sync_priority: 2, nosync: false }, '{"sync_priority":2,"nosync":false}'],
    [{ clonefrom: 'false', x: false, replicatefrom: null }, '{"clonefrom":"false","x":false,"replicatefrom":null}'],
  ]
  for (const [tags, expected] of table) assert.equal(JSON.stringify(publishedTags(tags)), expected)
})

test('configuration 12 a flag decides alone, else a priority of 0 or less does', () => {
  const table: readonly (readonly [Tags, boolean, number])[] = [
    [{}, false, 1],
    [{ nofailover: true }, true, 0],
    [{ nofailover: 'false' }, true, 0],
    [{ nofailover: false, failover_priority: 0 }, false, 0],
    [{ nofailover: true, failover_priority: 5 }, true, 0],
    [{ failover_priority: '0' }, true, 0],
    [{ failover_priority: -1 }, true, -1],
    [{ failover_priority: '7' }, false, 7],
    [{ failover_priority: 'high' }, false, 1],
  ]
  for (const [tags, excluded, priority] of table) {
    assert.equal(isNofailover(tags), excluded, JSON.stringify(tags))
    assert.equal(failoverPriority(tags), priority, JSON.stringify(tags))
    const forSync = JSON.parse(
      JSON.stringify(tags).replace('nofailover', 'nosync').replace('failover_', 'sync_'),
    ) as Tags
    assert.equal(isNosync(forSync), excluded)
    assert.equal(syncPriority(forSync), priority)
  }
})

test('configuration 12 the other tags', () => {
  assert.deepEqual([isClonefrom({ clonefrom: 'no' }), isClonefrom({ clonefrom: false })], [true, false])
  assert.deepEqual([isNoloadbalance({ noloadbalance: 1 }), isNoloadbalance({})], [true, false])
  assert.deepEqual([isNostream({ nostream: 'on' }), isNostream({ nostream: 'x' })], [true, false])
  assert.deepEqual([replicatefrom({ replicatefrom: 5 }), replicatefrom({ replicatefrom: '' })], ['5', null])
})

test('configuration 12 a contradiction is told in the words that outside tools match', () => {
  const table: readonly (readonly [Tags, readonly string[]])[] = [
    [
      { nofailover: true, failover_priority: '1' },
      ['Conflicting configuration between nofailover: True and failover_priority: 1. Defaulting to nofailover: True'],
    ],
    [
      { nofailover: false, failover_priority: 0 },
      ['Conflicting configuration between nofailover: False and failover_priority: 0. Defaulting to nofailover: False'],
    ],
    [
      { nosync: 'False', sync_priority: 2 },
      ['Conflicting configuration between nosync: False and sync_priority: 2. Defaulting to nosync: False'],
    ],
    [{ nofailover: true, failover_priority: 0 }, []],
    [{ nofailover: false, failover_priority: 2 }, []],
    [{ nofailover: true, failover_priority: 'x' }, []],
    [{ failover_priority: 0 }, []],
  ]
  for (const [tags, expected] of table) assert.deepEqual(tagConflicts(tags), expected)
})
