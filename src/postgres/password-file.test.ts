import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Config } from '../config/types.ts'
import { passwordFile, passwordFileProblem, passwordLines } from './password-file.ts'
import { passwordFromFile } from './password-lookup.ts'

test('2.11 one line per host; a host list with one port shares it, one with as many ports has its own', () => {
  const who = { user: 'rep', password: 'pw' }
  assert.deepEqual(passwordLines({ ...who, host: 'a,b', port: '1' }), ['a:1:*:rep:pw', 'b:1:*:rep:pw'])
  assert.deepEqual(passwordLines({ ...who, host: 'a,b', port: '1,2' }), ['a:1:*:rep:pw', 'b:2:*:rep:pw'])
})

test('2.11 empty fields are stars, colons and backslashes are escaped', () => {
  assert.deepEqual(passwordLines({ password: 'a:b\\c' }), ['*:*:*:*:a\\:b\\\\c'])
  assert.deepEqual(passwordLines({ host: 'fe80::1', port: '5432', user: 'u:v', password: '' }), [
    'fe80\\:\\:1:5432:*:u\\:v:',
  ])
})

test('2.11 a socket directory brings a line for localhost, once', () => {
  const who = { user: 'u', password: 'p', port: '1' }
  assert.deepEqual(passwordLines({ ...who, host: '/run' }), ['/run:1:*:u:p', 'localhost:1:*:u:p'])
  assert.equal(passwordLines({ ...who, host: '/run,localhost' }).length, 2)
})

test('2.11 without a password there is no line, no file', async () => {
  assert.deepEqual(passwordLines({ host: 'a', user: 'u' }), [])
  const path = '/nowhere/pgpass'
  const file = passwordFile(() => ({ postgresql: { pgpass: path } }) as Config)
  await file.write({ host: 'a' })
  assert.equal(await file.temporary({ host: 'a' }), null)
})

test('2.11 what is written is readable by its owner only, and gives the password back', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pga-'))
  const file = passwordFile(() => ({ postgresql: { pgpass: join(directory, 'pgpass') } }) as Config)
  const keywords = { host: 'db:1', port: '5432', user: 'rep', password: 'p:w\\d' }
  await file.write(keywords)
  const temporary = await file.temporary(keywords)
  assert.ok(temporary)
  for (const path of [file.path, temporary.path]) {
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    const text = await readFile(path, 'utf8')
    assert.equal(passwordFromFile(text, { ...keywords, database: 'x' }), 'p:w\\d')
  }
  await temporary.remove()
  await assert.rejects(stat(temporary.path))
  await rm(directory, { recursive: true })
})

test('2.1 an agent does not start where its password file would replace a device or a directory', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pga-'))
  const path = join(directory, 'pgpass')
  assert.equal(await passwordFileProblem(path), null, 'it will be made')
  await writeFile(path, '')
  assert.equal(await passwordFileProblem(path), null)
  for (const wrong of ['/dev/null', directory])
    assert.equal(await passwordFileProblem(wrong), `${wrong} is there and is not a regular file`)
  await rm(directory, { recursive: true })
})
