import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Instant } from '../cluster/time.ts'
import { timeline } from '../cluster/timeline.ts'
import type { MemberStatus } from '../ports/control.ts'
import { FAILED, type Look, NOT_ASKED, statusDocument, takePicture } from './picture.ts'
import { spacedJson } from './spaced-json.ts'
import { StatusText } from './status-text.ts'
import { HEALTHY_KEYS, primarySeen, replicaSeen, settingsFrom, statusOf, viewOf } from './testing/fake-agent.ts'

const SEEN: Look = { kind: 'observed', observation: primarySeen() }

/** Every single thing that may change about a member. */
const CHANGES: readonly Partial<MemberStatus>[] = [
  { name: 'x' },
  { scope: 'x' },
  { version: '4.2.0' },
  { role: 'demoted' },
  { state: 'stopping' },
  { holdsLock: false },
  { view: null },
  { view: viewOf({ ...HEALTHY_KEYS, leader: '' }) },
  { dcsLastSeen: 5 },
  { settings: settingsFrom({ pause: true }) },
  { dynamicConfig: { x: 1 } },
  { configuredTags: { x: 1 } },
  { effectiveTags: { x: 1 } },
  { effectiveTags: { x: [1] } },
  { effectiveTags: { x: 1, y: 2 } },
  { effectiveTags: { y: 2, x: 1 } },
  { pendingRestart: { a: { old_value: '1', new_value: '2' } } },
  { pendingRestart: { a: { old_value: '1', new_value: '3' } } },
  { scheduledRestart: { schedule: 's' } },
  { scheduledRestart: null },
  { failsafeActive: true },
  { watchdogFailed: true },
  { cloneProgress: { doneBytes: 1, totalBytes: null } },
  { systemIdentifier: null },
  { serverVersion: 170000 },
  { localTimeline: timeline(9) },
  { nextRunAt: 5 as Instant },
  { longAction: 'restart' },
  { postmasterAlive: false },
  { failsafeTopology: { a: 'b' } },
  { logQueue: { size: 5, lost: 0 } },
  { logQueue: { size: 5, lost: 1 } },
]

test('the kept text is never another than the document as it is now', () => {
  const text = new StatusText()
  const looks: readonly Look[] = [SEEN, { kind: 'observed', observation: replicaSeen() }, FAILED, NOT_ASKED]
  let status = statusOf()
  for (const change of [...CHANGES, ...CHANGES.toReversed()]) {
    status = { ...status, ...change }
    for (const look of looks) {
      const now = spacedJson(statusDocument(takePicture(status, look)))
      assert.equal(text.of(status, look), now, JSON.stringify(change))
      assert.equal(text.of({ ...status }, look), now)
    }
  }
})

test('equal values in new objects do not make a new text', () => {
  const text = new StatusText()
  const settings = settingsFrom({})
  let printed = 0
  const observation = {
    ...primarySeen(),
    get postmasterStartTime() {
      printed++
      return '2024-08-28 19:39:26+00'
    },
  }
  for (let i = 0; i < 1_000; i++) {
    const status = statusOf({
      view: null,
      effectiveTags: { a: 1, b: [true] },
      settings,
      pendingRestart: { a: { old_value: '1', new_value: '2' } },
      scheduledRestart: { schedule: 's', role: 'replica' },
      logQueue: { size: 5, lost: 1 },
    })
    text.of(status, { kind: 'observed', observation })
  }
  assert.equal(printed, 1)
})
