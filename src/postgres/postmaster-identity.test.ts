import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PostmasterFile, parsePostmasterFile } from './postmaster-file.ts'
import { judgePostmaster, type Suspect } from './postmaster-identity.ts'

const FILE: PostmasterFile = {
  pid: 42,
  dataDir: '/pgdata',
  startedAt: 1_000_000,
  port: '5432',
  socketDirectory: '/tmp',
  listenAddress: '*',
  status: 'ready',
}
const EXPECTED = { agentPid: 7, agentParent: 1, binaryName: 'postgres', dataDir: '/pgdata' }
const SUSPECT: Suspect = {
  pid: 42,
  parent: 1,
  startedAt: 5_000_000,
  executable: '/usr/lib/postgresql/15/bin/postgres',
  workingDirectory: '/pgdata',
}

const CASES: readonly (readonly [string, Partial<Suspect>, string])[] = [
  ['the same start time is enough', { startedAt: 1_000_002.5, executable: '/bin/sh', workingDirectory: '/' }, 'ours'],
  ['a start time 3 s away is not', { startedAt: 1_000_003, executable: '/bin/sh' }, 'foreign'],
  ['another start time, but binary and directory fit', {}, 'ours'],
  ['the old name of the binary fits', { executable: '/opt/postmaster' }, 'ours'],
  ['another directory does not', { workingDirectory: '/other' }, 'foreign'],
  ['the right binary in an unknown directory', { workingDirectory: null }, 'unsure'],
  ['an unknown binary', { executable: null }, 'foreign'],
  ['the agent itself, whatever its start time', { pid: 7, startedAt: 1_000_000 }, 'foreign'],
  ["the agent's parent", { pid: 1, startedAt: 1_000_000 }, 'foreign'],
  ['another child of the agent', { parent: 7, startedAt: 1_000_000 }, 'foreign'],
]

for (const [title, change, verdict] of CASES)
  test(`1.3 ${title}: ${verdict}`, () => {
    assert.equal(judgePostmaster(FILE, { ...SUSPECT, ...change }, EXPECTED), verdict)
  })

test('1.3 the lines of postmaster.pid are read in their order', () => {
  const text = '42\n/pgdata\n1000000\n5432\n/tmp\n*\n  12345678    98307\nready   \n'
  assert.deepEqual(parsePostmasterFile(text), FILE)
})

test('1.3 a file of a single-user backend has a negative number, an empty or zero one names nobody', () => {
  assert.equal(parsePostmasterFile('-42\n/pgdata\n')?.pid, -42)
  for (const text of ['', '0\n', 'x\n', '\n42\n']) assert.equal(parsePostmasterFile(text), null)
})
