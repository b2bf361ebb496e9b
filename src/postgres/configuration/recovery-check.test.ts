import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Instant } from '../../cluster/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { PasswordFile } from '../parts.ts'
import { parametersFrom } from './parameters.ts'
import { createRecoveryCheck } from './recovery-check.ts'
import type { CurrentRecovery } from './recovery-comparison.ts'
import type { RecoverySettings } from './recovery-settings.ts'
import type { ConfigurationWriter } from './writer.ts'

const never = new AbortController().signal
const pg15 = 150000

/** A standby whose files say `recovery_target_timeline = latest`, with a clock to turn. */
function standby(t: { after(end: () => void): void }) {
  const dataDir = mkdtempSync(join(tmpdir(), 'matriarch-recovery-check-'))
  t.after(() => rmSync(dataDir, { recursive: true }))
  const signalFile = join(dataDir, 'standby.signal')
  writeFileSync(signalFile, '')
  const world = { looks: 0, nowMs: 0, postmaster: '7@1', rewriteAfterJoin: false, target: 'latest' }
  const watch = {
    server: () => world.postmaster,
    current(): Promise<CurrentRecovery> {
      world.looks += 1
      const setting = { value: world.target, needsRestart: false, isForeign: false }
      return Promise.resolve(new Map([['recovery_target_timeline', setting]]))
    },
  }
  const writer = { dataDir: () => dataDir, config: () => ({}), watch, state: world } as unknown as ConfigurationWriter
  const clock = { now: () => world.nowMs as Instant } as Clock
  const check = createRecoveryCheck(writer, { path: join(dataDir, 'pgpass') } as PasswordFile, clock)
  const difference = (target = 'latest') => {
    const wanted: RecoverySettings = {
      values: parametersFrom({ recovery_target_timeline: target }),
      primaryConninfo: null,
    }
    return check.difference(wanted, pg15, null, never)
  }
  return { world, difference, forgetStandby: () => rmSync(signalFile) }
}

test('2.10 the files of a standby that follows as wanted are looked at once a minute, not in each cycle', async (t) => {
  const { world, difference } = standby(t)
  for (world.nowMs = 0; world.nowMs < 60_000; world.nowMs += 10_000) assert.equal(await difference(), 'none')
  assert.equal(world.looks, 1)
  assert.equal(await difference(), 'none')
  assert.equal(world.looks, 2)
})

test('2.10 a change by hand is seen within a minute: of a setting, or that the server would not be a standby', async (t) => {
  const { world, difference, forgetStandby } = standby(t)
  assert.equal(await difference(), 'none')
  world.target = 'current'
  world.nowMs = 60_000
  assert.notEqual(await difference(), 'none')
  world.target = 'latest'
  assert.equal(await difference(), 'none')
  forgetStandby()
  world.nowMs = 120_000
  assert.equal(await difference(), 'restart')
})

test('2.10 what is wanted anew, another postmaster and a rewrite that waits are seen at once', async (t) => {
  const { world, difference } = standby(t)
  assert.equal(await difference(), 'none')
  assert.notEqual(await difference('current'), 'none')
  assert.equal(await difference(), 'none')
  const { looks } = world
  world.postmaster = '8@2'
  assert.equal(await difference(), 'none')
  assert.equal(world.looks, looks + 1)
  world.rewriteAfterJoin = true
  assert.equal(await difference(), 'reload')
})
