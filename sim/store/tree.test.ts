import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scheduler } from '../engine/scheduler.ts'
import { StoreTree } from './tree.ts'

const never = (): boolean => false

test('a session ends exactly when its time is over, and its keys go with it', async () => {
  const scheduler = new Scheduler()
  const tree = new StoreTree(scheduler)
  const events: string[] = []
  tree.onChange((key, kind) => events.push(`${scheduler.now} ${key} ${kind}`))
  tree.refresh('a', 1000)
  tree.put('leader', 'a', 'a', 'a')
  await scheduler.run(600, never)
  tree.refresh('a', 1000)
  await scheduler.run(1599, never)
  assert.equal(tree.keys.has('leader'), true)
  await scheduler.run(1600, never)
  assert.deepEqual(events, ['0 leader created', '1600 leader deleted'])
})

test('a lagging reader sees the past, but at least what it wrote itself', async () => {
  const scheduler = new Scheduler()
  const tree = new StoreTree(scheduler)
  tree.put('x', 'one', null, null)
  await scheduler.run(1000, never)
  tree.put('x', 'two', null, null)
  const own = tree.revision
  await scheduler.run(2000, never)
  tree.put('x', 'three', null, null)
  assert.equal(tree.past(1500, 0).get('x')?.text, 'one')
  assert.equal(tree.past(1500, own).get('x')?.text, 'two')
  assert.equal(tree.past(0, 0).get('x')?.text, 'three')
})

test('a backup brings old values and old versions back, and its sessions live for a full time again', async () => {
  const scheduler = new Scheduler()
  const tree = new StoreTree(scheduler)
  tree.refresh('a', 1000)
  tree.put('leader', 'a', 'a', 'a')
  const backup = new Map(tree.keys)
  await scheduler.run(1500, never)
  assert.equal(tree.keys.size, 0)
  tree.restore(backup)
  assert.equal(tree.keys.get('leader')?.text, 'a')
  await scheduler.run(2499, never)
  assert.equal(tree.keys.size, 1)
  await scheduler.run(2500, never)
  assert.equal(tree.keys.size, 0)
})
