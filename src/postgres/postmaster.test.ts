import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import type { Instant } from '../cluster/time.ts'
import type { Config } from '../config/types.ts'
import { systemClock } from '../system/clock.ts'
import { isUserBackend, postmasterWatch } from './postmaster.ts'
import type { ProcessTable } from './process-table.ts'

const AUXILIARY = [
  'postgres: checkpointer',
  'postgres: demo: checkpointer ',
  'postgres: demo: logger ',
  'postgres: demo: walsender replicator 10.0.0.2(41234) streaming 0/3000060',
  'postgres: demo: walreceiver streaming 0/3000060',
  'postgres: demo: startup recovering 000000010000000000000003',
  'postgres: demo: logical replication launcher',
  'postgres: demo: logical replication apply worker for subscription 16390',
  'postgres: demo: io worker 0',
  'postgres: bgworker: something  ',
  'postgres: archiver process   last was 000000010000000000000003',
]
const USERS = [
  'postgres: demo: app shop 10.0.0.9(40000) idle',
  'postgres: app shop [local] INSERT',
  'postgres: writers shop [local] idle',
]

for (const title of AUXILIARY)
  test(`1.7 '${title}' is none of the users`, () => {
    assert.equal(isUserBackend(title), false)
  })
for (const title of USERS)
  test(`1.7 '${title}' is a user`, () => {
    assert.equal(isUserBackend(title), true)
  })

/** A postmaster that is child 7 of ours, and a table of processes that counts how often it is asked. */
function launched() {
  const state = { nowMs: 1000, runs: true, looks: 0 }
  const table: ProcessTable = {
    stat: (pid) => {
      state.looks++
      return state.runs ? { pid, parent: process.pid, startTicks: 5, state: 'S' } : null
    },
    pids: () => [],
    executable: () => null,
    workingDirectory: () => null,
    title: () => null,
    startedAt: () => null,
  }
  const nothing = (): void => {}
  const watch = postmasterWatch(
    () => ({ postgresql: { dataDir: '/nowhere/at/all' } }) as Config,
    { path: (tool) => tool },
    table,
    { ...systemClock, now: () => state.nowMs as Instant },
    { debug: nothing, info: nothing, warning: nothing, error: nothing, critical: nothing },
  )
  const child = Object.assign(new EventEmitter(), { pid: 7, exitCode: null, signalCode: null })
  assert.ok(watch.adopt(child as unknown as ChildProcess))
  return { state, watch, child }
}

test('a cycle that asks again and again whether the postmaster lives looks once', () => {
  const { state, watch } = launched()
  state.looks = 0
  for (let i = 0; i < 10; i++) assert.equal(watch.current()?.pid, 7)
  assert.equal(state.looks, 1)
  state.runs = false
  state.nowMs += 10
  assert.equal(watch.current(), null)
})

test('a postmaster whose end the kernel has told is gone at once', () => {
  const { state, watch, child } = launched()
  assert.equal(watch.current()?.pid, 7)
  state.runs = false
  child.emit('exit', 0, null)
  assert.equal(watch.current(), null)
})

test('whoever waits for the end of a postmaster does not go by an old look', async () => {
  const { state, watch, child } = launched()
  const postmaster = watch.current()
  assert.ok(postmaster)
  child.removeAllListeners('exit')
  state.runs = false
  assert.ok(await watch.waitForEnd(postmaster, new AbortController().signal))
  assert.equal(watch.current(), null)
})
