import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timeline } from '../../src/cluster/timeline.ts'
import { Scheduler } from '../engine/scheduler.ts'
import type { PgServer } from '../pg/server.ts'
import type { Branch } from '../pg/wal.ts'
import { StoreTree } from '../store/tree.ts'
import { Exemptions } from './exemptions.ts'
import { WakingChanges } from './haste.ts'
import { SingleWriter } from './single-writer.ts'
import { Violations } from './violations.ts'

const branch = (number: number) => ({ timeline: timeline(number) }) as Branch
const writer = (number: number): PgServer =>
  ({
    host: `on ${number}`,
    isWritable: true,
    postmaster: { process: { isRunning: true } },
    files: { position: { branch: branch(number) } },
  }) as PgServer

test('the older of two writers keeps no promise, where two of them were brought about and only then (seed 35050979)', () => {
  const scheduler = new Scheduler()
  const violations = new Violations(scheduler, new Set())
  const exemptions = new Exemptions(scheduler)
  const servers = new Map([['a', writer(10)]])
  const checks = new SingleWriter(servers, violations, exemptions)
  exemptions.allow('two writers', 1000)
  assert.equal(checks.isOutrun(branch(10)), false, 'nobody is beside it')
  servers.set('b', writer(11))
  assert.equal(checks.isOutrun(branch(10)), true)
  assert.equal(checks.isOutrun(branch(11)), false)
  exemptions.end()
  assert.equal(checks.isOutrun(branch(10)), false, 'two writers are a violation themselves')
})

test('what wakes every member is a reason to try again, the status of the leader is none (seed 35054675)', () => {
  const scheduler = new Scheduler()
  const tree = new StoreTree(scheduler)
  const changes = new WakingChanges(tree, scheduler)
  for (const key of ['leader', 'sync', 'status', 'members/a', 'config']) tree.put(key, 'x', null, null)
  assert.equal(changes.recently, 3)
})
