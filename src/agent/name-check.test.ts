import assert from 'node:assert/strict'
import { test } from 'node:test'
import { version } from '../cluster/stored.ts'
import type { Instant } from '../cluster/time.ts'
import { viewFromKeys } from '../cluster/view.ts'
import type { Clock } from '../ports/clock.ts'
import type { Peers } from '../ports/peers.ts'
import { isNameTaken } from './name-check.ts'

const view = viewFromKeys(
  new Map([
    ['members/a', { text: '{"api_url": "http://10.0.0.1:8008/patroni"}', version: version('1'), session: null }],
    ['members/b', { text: '{"state": "running"}', version: version('1'), session: null }],
  ]),
)
const clock = {
  now: () => 0 as Instant,
  deadline: () => ({ signal: new AbortController().signal, done: () => {} }),
} as unknown as Clock

test('ha.md 2.1 a name is taken where the member of that name answers; whoever does not, or has no address, has left its key behind', async () => {
  const asked: string[] = []
  const peers = (answers: boolean): Peers =>
    ({
      isAlive: async (url: string) => {
        asked.push(url)
        return answers
      },
    }) as unknown as Peers
  assert.equal(await isNameTaken(view, 'a', peers(true), clock), true)
  assert.equal(await isNameTaken(view, 'a', peers(false), clock), false)
  assert.equal(await isNameTaken(view, 'b', peers(true), clock), false)
  assert.equal(await isNameTaken(view, 'c', peers(true), clock), false)
  assert.deepEqual(asked, ['http://10.0.0.1:8008/patroni', 'http://10.0.0.1:8008/patroni'])
})
