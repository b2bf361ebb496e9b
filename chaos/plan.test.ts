import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Rng } from '../sim/engine/random.ts'
import type { Machine } from './machine.ts'
import { FAULT_NAMES, FAULTS, permittedFaults, planFaults } from './plan.ts'

const HOUR_MS = 3_600_000
const plan = (seed: string, lengthMs = HOUR_MS) => planFaults(new Rng(seed), lengthMs, FAULT_NAMES)

test('the same seed makes the same plan, another one another', () => {
  assert.deepEqual(plan('17'), plan('17'))
  assert.notDeepEqual(plan('17'), plan('18'))
})

test('a longer run begins as the shorter one did', () => {
  const short = plan('17', HOUR_MS / 6)
  assert.deepEqual(plan('17').slice(0, short.length), short)
})

test('an hour has a fault a minute and more, of every kind, on the primary and on others', () => {
  const faults = plan('1')
  assert.ok(faults.length > 60, `${faults.length} faults`)
  assert.deepEqual(new Set(faults.map(({ kind }) => kind)), new Set(FAULT_NAMES))
  const onPrimary = faults.filter(({ on }) => on === 'primary').length
  assert.ok(onPrimary > faults.length / 3 && onPrimary < faults.length)
})

test('every fault lasts as long as its kind may, the last one ends before the run, and never three go on at once', () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const faults = plan(String(seed))
    for (const { kind, atMs, forMs } of faults) {
      const [least, most] = FAULTS[kind].lasts
      assert.ok(forMs >= least * 1000 && forMs <= most * 1000, `seed ${seed}: ${kind} for ${forMs} ms`)
      assert.ok(atMs + forMs <= HOUR_MS)
      const atOnce = faults.filter((other) => other.atMs <= atMs && atMs < other.atMs + other.forMs)
      assert.ok(atOnce.length <= 2, `seed ${seed}: ${atOnce.length} faults at ${atMs} ms`)
    }
    assert.ok(
      faults.some((fault, i) => i > 0 && overlaps(fault.atMs, faults[i - 1])),
      'some overlap',
    )
  }
})

function overlaps(atMs: number, before: { readonly atMs: number; readonly forMs: number } | undefined): boolean {
  return before !== undefined && atMs < before.atMs + before.forMs
}

test('only the kinds that were asked for are planned', () => {
  const faults = planFaults(new Rng('1'), HOUR_MS, ['switchover'])
  assert.ok(faults.length > 0)
  assert.ok(faults.every(({ kind }) => kind === 'switchover'))
  assert.deepEqual(planFaults(new Rng('1'), HOUR_MS, []), [])
})

test('what the machine does not permit is left out with the reason', () => {
  const machine: Machine = {
    namespaces: true,
    filter: true,
    delay: 'no netem here',
    throttle: true,
    disk: true,
    clock: true,
    faketime: '/usr/lib/libfaketime.so.1',
  }
  const { kinds, leftOut } = permittedFaults(machine, FAULT_NAMES)
  assert.deepEqual(leftOut, [
    { kind: 'delay', why: 'no netem here' },
    { kind: 'store-delay', why: 'no netem here' },
  ])
  assert.equal(kinds.length, FAULT_NAMES.length - 2)
})
