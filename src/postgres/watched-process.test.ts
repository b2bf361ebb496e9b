import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { test } from 'node:test'
import { linuxProcessTable } from './process-table.ts'
import { watchProcess } from './watched-process.ts'

const table = linuxProcessTable()

/** How many records of processes this one keeps open. */
function kept(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /^\/proc\/\d+\/stat$/.test(readlinkSync(`/proc/self/fd/${fd}`))
    } catch {
      return false
    }
  }).length
}

test('1.3 a watched process is alive until it is killed, also while nobody has taken note of its end', async () => {
  const child = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const below = table.stat(Number(line.toString()))
  assert.ok(below)
  const watched = watchProcess(table, below)
  assert.equal(kept(), 1)
  assert.ok(watched.isAlive())
  process.kill(below.pid, 'SIGSTOP')
  assert.ok(watched.isAlive(), 'a stopped process lives')
  process.kill(below.pid, 'SIGKILL')
  const limit = performance.now() + 2000
  while (watched.isAlive() && performance.now() < limit) await new Promise((done) => setTimeout(done, 5))
  assert.ok(!watched.isAlive(), `state ${table.stat(below.pid)?.state}: its parent never waits for it`)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.ok(!watched.isAlive(), 'gone')
  watched.close()
  assert.ok(!watched.isAlive())
  assert.equal(kept(), 0)
})

test('1.3 another process with its number, and one that is gone, are not alive and keep nothing open', () => {
  const own = table.stat(process.pid)
  assert.ok(own)
  assert.ok(!watchProcess(table, { pid: own.pid, startTicks: own.startTicks + 1 }).isAlive())
  assert.ok(!watchProcess(table, { pid: 2 ** 22 + 1, startTicks: 1 }).isAlive())
  assert.equal(kept(), 0)
})

test('1.3 a record that cannot be opened leaves the question to the table', () => {
  const own = table.stat(process.pid)
  assert.ok(own)
  assert.ok(watchProcess(table, own, '/nowhere').isAlive())
})
