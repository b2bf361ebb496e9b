import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchTheft } from './stolen-time.ts'

test('the worst two seconds are remembered, of all that the processors had', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const looks = ['100 0 0 300 0 0 0 0 9 0', '150 0 0 400 0 0 0 50 9 0', '350 0 0 600 0 0 0 60 9 0']
  const watch = watchTheft(() => `cpu  ${looks.shift()}\ncpu0 1 1 1 1 1 1 1 1 0 0\n`)
  t.mock.timers.tick(2000)
  assert.equal(watch.worst, 0.25)
  t.mock.timers.tick(2000)
  assert.equal(watch.worst, 0.25)
  watch.end()
})

test('where nothing can be read nothing was stolen', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const watch = watchTheft(() => {
    throw new Error('no such file')
  })
  t.mock.timers.tick(4000)
  assert.equal(watch.worst, 0)
  watch.end()
})
