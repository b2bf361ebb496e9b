import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InstanceState } from '../cluster/instance.ts'
import type { Machine } from './machine.ts'
import type { PostmasterFile } from './postmaster-file.ts'
import { isNotThereYet } from './start.ts'

function notThere(status: string | null, state: InstanceState, majorVersion = 150000): boolean {
  const file = status === null ? null : ({ status } as PostmasterFile)
  return isNotThereYet({
    postmaster: { file: () => file },
    files: { majorVersion: () => majorVersion },
    memory: { state },
  } as Machine)
}

test('1.6 nobody connects to a server that has not yet written its file: he would arrive while it starts', () => {
  assert.equal(notThere(null, 'starting'), true)
  assert.equal(notThere(null, 'running'), false)
})

test('1.6 nobody connects to a server that says that it lets nobody in yet', () => {
  for (const status of ['starting', 'standby', '']) assert.equal(notThere(status, 'starting'), true, status)
  assert.equal(notThere('ready', 'starting'), false)
  assert.equal(notThere('', 'starting', 90600), false, 'before PostgreSQL 10 it never says')
})
