import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Instant } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'
import { LongActions } from './long-action.ts'

function actions(): { readonly actions: LongActions; readonly events: string[] } {
  const events: string[] = []
  const clock: Clock = {
    now: () => 0 as Instant,
    wallMs: () => 0,
    sleep: async (ms) => {
      events.push(`sleep ${ms}`)
    },
    deadline: () => ({ signal: new AbortController().signal, done: () => {} }),
  }
  return {
    actions: new LongActions(
      clock,
      () => events.push('wake'),
      (name) => events.push(`error in ${name}`),
    ),
    events,
  }
}

test('1.6 a second action is refused with the name of the first', async () => {
  const { actions: slot } = actions()
  const first = slot.begin('promote', async () => 1)
  assert.deepEqual(
    slot.begin('restart', async () => 2),
    { kind: 'busy', running: 'promote' },
  )
  assert.ok(first.kind === 'begun')
  assert.equal(await first.ended, 1)
  assert.equal(slot.name, null)
})

test('1.6 the end of an action wakes the loop at once', async () => {
  const { actions: slot, events } = actions()
  const begun = slot.begin('promote', async () => 'promoted')
  assert.ok(begun.kind === 'begun')
  await begun.ended
  assert.deepEqual(events, ['wake'])
})

test('an action that failed and would begin again at once wakes the loop only after a pause', async () => {
  const { actions: slot, events } = actions()
  const begun = slot.begin('bootstrap', async () => false)
  assert.ok(begun.kind === 'begun')
  await begun.ended
  await Promise.resolve()
  assert.deepEqual(events, ['sleep 1000', 'wake'])
})

test('an action that fails again and again is begun less and less often, until it succeeds', async () => {
  const { actions: slot, events } = actions()
  for (const result of [false, false, false, false, false, true, false]) {
    const begun = slot.begin('restart', async () => result)
    assert.ok(begun.kind === 'begun')
    await begun.ended
    await Promise.resolve()
  }
  const pauses = events.filter((event) => event.startsWith('sleep'))
  assert.deepEqual(pauses, ['sleep 1000', 'sleep 2000', 'sleep 4000', 'sleep 8000', 'sleep 8000', 'sleep 1000'])
})

test('a pause after a failure ends with the next action: the loop is woken once for all that failed meanwhile', async () => {
  const pauses: { readonly signal: AbortSignal; readonly end: () => void }[] = []
  let wakes = 0
  const clock: Clock = {
    now: () => 0 as Instant,
    wallMs: () => 0,
    sleep: (_ms, signal) =>
      new Promise((resolve) => {
        pauses.push({ signal, end: resolve })
        signal.addEventListener('abort', () => resolve(), { once: true })
      }),
    deadline: () => ({ signal: new AbortController().signal, done: () => {} }),
  }
  const slot = new LongActions(
    clock,
    () => (wakes += 1),
    () => {},
  )
  for (let i = 0; i < 3; i++) {
    const begun = slot.begin('restart', async () => false)
    assert.ok(begun.kind === 'begun')
    await begun.ended
  }
  assert.deepEqual(
    pauses.map(({ signal }) => signal.aborted),
    [true, true, false],
  )
  assert.equal(wakes, 0)
  pauses.at(-1)?.end()
  for (let i = 0; i < 5; i++) await Promise.resolve()
  assert.equal(wakes, 1)
})

test('1.6 a cancelled action is waited for and its error is nobody else’s business', async () => {
  const { actions: slot, events } = actions()
  slot.begin('restart', async (signal) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    throw new Error('cancelled')
  })
  await Promise.resolve()
  await slot.cancel()
  assert.equal(slot.name, null)
  assert.deepEqual(events, ['wake'])
})

test('1.6 an action that is cancelled before its first step never begins', async () => {
  const { actions: slot } = actions()
  let begun = false
  slot.begin('restart', async () => {
    begun = true
  })
  await slot.cancel()
  assert.equal(begun, false)
})
