import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Process } from './process.ts'
import { Scheduler } from './scheduler.ts'

const never = (): boolean => false

test('events run in the order of their times, and of their planning where the times are equal', async () => {
  const scheduler = new Scheduler()
  const seen: string[] = []
  scheduler.after(20, () => seen.push('c'))
  scheduler.after(10, () => seen.push('a'))
  scheduler.after(10, () => seen.push('b'))
  scheduler.after(5, () => seen.push('never')).cancelled = true
  await scheduler.run(15, never)
  assert.deepEqual([seen, scheduler.now], [['a', 'b'], 15])
  await scheduler.run(30, never)
  assert.deepEqual(seen, ['a', 'b', 'c'])
})

test('before the next event every promise has run to its end, however long the chain', async () => {
  const scheduler = new Scheduler()
  const process = new Process(scheduler, { wakesCode: true })
  const seen: string[] = []
  const chain = async (): Promise<void> => {
    await new Promise<void>((resolve) => process.after(1, resolve))
    for (let i = 0; i < 500; i++) await Promise.resolve()
    seen.push('end of the chain')
  }
  void chain()
  scheduler.after(1, () => seen.push('next event'))
  await scheduler.run(10, never)
  assert.deepEqual(seen, ['end of the chain', 'next event'])
})

test('a frozen process gets everything when it thaws, a killed one nothing', async () => {
  const scheduler = new Scheduler()
  const process = new Process(scheduler, { wakesCode: false })
  let seen: readonly string[] = []
  const see = (what: string) => (): void => {
    seen = [...seen, what]
  }
  process.freeze()
  process.deliver(see('answer'))
  process.after(5, see('timer'))
  await scheduler.run(10, never)
  assert.deepEqual(seen, [])
  process.thaw({ timersFirst: true })
  await scheduler.run(11, never)
  assert.deepEqual(seen, ['timer', 'answer'])
  process.after(5, see('lost'))
  process.kill()
  await scheduler.run(20, never)
  assert.deepEqual(seen, ['timer', 'answer'])
})

test('a process that two reasons hold goes on when both are over', async () => {
  const scheduler = new Scheduler()
  const process = new Process(scheduler, { wakesCode: false })
  process.freeze()
  process.freeze()
  process.thaw({ timersFirst: false })
  assert.equal(process.isRunning, false)
  process.thaw({ timersFirst: false })
  assert.equal(process.isRunning, true)
})
