import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { later } from '../cluster/time.ts'
import { systemClock as clock } from './clock.ts'

const never = new AbortController().signal

test('a sleep lasts as long as asked and ends early when its signal aborts', async () => {
  const begun = clock.now()
  await clock.sleep(30, never)
  assert.ok(clock.now() - begun >= 25)

  const stop = new AbortController()
  setTimeout(() => stop.abort(), 10)
  await clock.sleep(60_000, stop.signal)
  assert.ok(clock.now() - begun < 5000)
  assert.equal(getEventListeners(stop.signal, 'abort').length, 0)
})

test('a deadline aborts with a TimeoutError, its parent with the reason given there', async () => {
  const time = clock.deadline(later(clock.now(), 15))
  await clock.sleep(1000, time.signal)
  assert.equal((time.signal.reason as Error).name, 'TimeoutError')

  const parent = new AbortController()
  const child = clock.deadline(later(clock.now(), 60_000), parent.signal)
  parent.abort(new Error('shutdown'))
  assert.equal((child.signal.reason as Error).message, 'shutdown')
})

test('a deadline in the past, or of an aborted parent, is over at once', () => {
  assert.ok(clock.deadline(later(clock.now(), -1)).signal.aborted)
  assert.equal(clock.deadline(later(clock.now(), 1000), AbortSignal.abort('why')).signal.reason, 'why')
})

test('a deadline that is done leaves no timer and no listener behind', async () => {
  const parent = new AbortController()
  const time = clock.deadline(later(clock.now(), 10), parent.signal)
  time.done()
  await clock.sleep(30, never)
  assert.equal(time.signal.aborted, false)
  assert.equal(getEventListeners(parent.signal, 'abort').length, 0)
  const expired = clock.deadline(later(clock.now(), 5), parent.signal)
  await clock.sleep(1000, expired.signal)
  assert.equal(getEventListeners(parent.signal, 'abort').length, 0)
})

test('a deadline beyond what a timer can count does not fire at once', async () => {
  const time = clock.deadline(later(clock.now(), 2 ** 40))
  await clock.sleep(20, never)
  assert.equal(time.signal.aborted, false)
})
