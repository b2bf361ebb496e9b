import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { descendants, isSameProcessAlive, killTree, linuxProcessTable, parseStat } from './process-table.ts'

const FIELDS = 'S 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1 2 3'

test('1.3 the start time is read behind a name with blanks and parentheses', () => {
  assert.deepEqual(parseStat(`42 (a b) c) ${FIELDS}`), { pid: 42, parent: 1, startTicks: 123456, state: 'S' })
})

test('text that is not a stat line is no process', () => {
  for (const text of ['', '42', '42 (x', '42 (x) S', 'x (y) S 1']) assert.equal(parseStat(text), null)
})

test('1.3 the own process is alive, another start time with its number is not it', () => {
  const table = linuxProcessTable()
  const own = table.stat(process.pid)
  assert.ok(own)
  assert.ok(isSameProcessAlive(table, own))
  assert.ok(!isSameProcessAlive(table, { pid: own.pid, startTicks: own.startTicks + 1 }))
  const started = table.startedAt(own)
  assert.ok(started !== null && Math.abs(started - (Date.now() / 1000 - process.uptime())) < 3, String(started))
})

test('1.3 a zombie does not count as alive', () => {
  const table = { ...linuxProcessTable(), stat: () => ({ pid: 7, parent: 1, startTicks: 5, state: 'Z' }) }
  assert.ok(!isSameProcessAlive(table, { pid: 7, startTicks: 5 }))
})

test('1.13 killing a tree ends the children of the children as well', async () => {
  const table = linuxProcessTable()
  const child = spawn('sh', ['-c', 'sh -c "sleep 60 & echo ready; wait" & wait'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  const root = table.stat(child.pid as number)
  assert.ok(root)
  const below = descendants(table, root.pid)
  assert.equal(below.length, 2)
  killTree(table, root)
  await once(child, 'exit')
  const deadline = performance.now() + 2000
  while (below.some((one) => isSameProcessAlive(table, one)) && performance.now() < deadline)
    await new Promise((done) => setTimeout(done, 5))
  assert.ok(below.every((one) => !isSameProcessAlive(table, one)))
})
