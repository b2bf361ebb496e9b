import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Member } from '../../cluster/member.ts'
import type { SqlOutcome, SqlRow } from '../parts.ts'
import { type LeaderQuestionDependencies, readSlots, writeSlots } from './logical-copy.ts'

const never = new AbortController().signal

test('7.6 a copied slot takes the place of the one that was there, whole, with the rights of the data directory', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'matriarch-slots-'))
  t.after(() => rm(dataDir, { recursive: true }))
  await chmod(dataDir, 0o750)
  const old = join(dataDir, 'pg_replslot', 'x')
  const left = join(dataDir, 'pg_replslot', 'x.tmp')
  for (const directory of [old, left]) {
    await mkdir(directory, { recursive: true })
    await writeFile(join(directory, 'rubbish'), '')
  }
  const state = Uint8Array.of(1, 2, 3)
  await writeSlots(dataDir, [{ name: 'x', state }])
  assert.deepEqual(await readdir(join(dataDir, 'pg_replslot')), ['x'])
  assert.deepEqual(await readdir(old), ['state'])
  assert.deepEqual(new Uint8Array(await readFile(join(old, 'state'))), state)
  assert.equal((await stat(old)).mode & 0o777, 0o750)
  assert.equal((await stat(join(old, 'state'))).mode & 0o777, 0o640)
})

const LEADER = { name: 'b', data: { connUrl: 'postgres://b:5432/postgres' } } as Member

/** A leader that answers with these rows. */
function asking(rows: readonly SqlRow[] | null) {
  const log: string[] = []
  const asked: string[] = []
  const query = async (sql: string): Promise<SqlOutcome> => {
    asked.push(sql)
    return rows ? { kind: 'rows', rows } : { kind: 'unreachable', reason: 'it is away' }
  }
  const user = { username: 'postgres', password: null, options: {} }
  const deps = {
    config: () => ({ name: 'a', postgresql: { superuser: user, rewind: user, database: 'postgres' } }),
    connector: { connection: () => ({ query, close: () => {} }) },
    clock: { now: () => 0 },
    log: { error: (text: string) => log.push(text), warning: (text: string) => log.push(text) },
  } as unknown as LeaderQuestionDependencies
  return { deps, log, asked }
}

const WANTED = { kind: 'logical', name: 'x', database: 'app', plugin: 'pgoutput', lsn: null } as const

test('7.6 only what is on the leader as it is configured is copied; from 17 on no slot that servers copy themselves', async () => {
  const state = Uint8Array.of(7)
  const right = asking([{ name: 'x', database: 'app', plugin: 'pgoutput', state }])
  assert.deepEqual(await readSlots(right.deps, LEADER, [WANTED], 160000, never), [{ name: 'x', state }])
  assert.match(right.asked[0] ?? '', /NOT pg_catalog.pg_is_in_recovery\(\)/)
  assert.doesNotMatch(right.asked[0] ?? '', /failover/)
  await readSlots(right.deps, LEADER, [WANTED], 170000, never)
  assert.match(right.asked[1] ?? '', /AND NOT failover/)
  const other = asking([{ name: 'x', database: 'app', plugin: 'wal2json', state }])
  assert.deepEqual(await readSlots(other.deps, LEADER, [WANTED], 160000, never), [])
  assert.match(other.log[0] ?? '', /^Will not copy the logical slot x/)
  const away = asking(null)
  assert.deepEqual(await readSlots(away.deps, LEADER, [WANTED], 160000, never), [])
  assert.deepEqual(away.log, ['Failed to copy logical slots from the b: it is away'])
})
