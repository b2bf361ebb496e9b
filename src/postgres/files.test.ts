import assert from 'node:assert/strict'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { dataDirectoryModes, fileModeFor, inspectDataDirectory, isInside, replaceFile, updateFile } from './files.ts'

let root: string
before(async () => {
  root = await mkdtemp('/tmp/mt-files-')
})
after(() => rm(root, { recursive: true, force: true }))

test('a replaced file has text and mode, whatever the umask, and nothing is left beside it', async () => {
  const directory = join(root, 'replace')
  await mkdir(directory)
  const path = join(directory, 'a')
  await replaceFile(path, 'one', 0o640)
  assert.equal((await stat(path)).mode & 0o777, 0o640)
  await replaceFile(path, 'two', 0o600)
  assert.equal(await readFile(path, 'utf8'), 'two')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(directory), ['a'])
})

test('a link stays a link', async () => {
  await writeFile(join(root, 'real'), 'one')
  await symlink('real', join(root, 'link'))
  await replaceFile(join(root, 'link'), 'two', 0o600)
  assert.ok((await lstat(join(root, 'link'))).isSymbolicLink())
  assert.equal(await readFile(join(root, 'real'), 'utf8'), 'two')
})

test('a file that is already right keeps its time of change', async () => {
  const path = join(root, 'same')
  assert.equal(await updateFile(path, 'x', 0o600), true)
  const { ino, mtimeMs } = await stat(path)
  assert.equal(await updateFile(path, 'x', 0o600), false)
  assert.deepEqual([(await stat(path)).ino, (await stat(path)).mtimeMs], [ino, mtimeMs])
  assert.equal(await updateFile(path, 'x', 0o640), true)
  assert.equal(await updateFile(path, 'y', 0o640), true)
})

test('2.1 files follow the mode of the data directory, elsewhere the umask of the start', async () => {
  const dataDir = join(root, 'modes')
  await mkdir(dataDir)
  await chmod(dataDir, 0o700)
  assert.deepEqual(await dataDirectoryModes(dataDir), { file: 0o600, directory: 0o700 })
  await chmod(dataDir, 0o750)
  assert.deepEqual(await dataDirectoryModes(dataDir), { file: 0o640, directory: 0o750 })
  assert.equal(await fileModeFor(join(dataDir, 'postgresql.conf'), dataDir, 0o022), 0o640)
  assert.equal(await fileModeFor('/etc/postgresql.conf', dataDir, 0o022), 0o644)
})

test('what is inside a directory', () => {
  assert.equal(isInside('/a/b', '/a'), true)
  assert.equal(isInside('/a', '/a'), false)
  assert.equal(isInside('/ab', '/a'), false)
  assert.equal(isInside('/a/..b', '/a'), true)
})

test('1.2 a data directory is empty, present, or cannot be seen', async () => {
  const dataDir = join(root, 'data')
  assert.deepEqual(await inspectDataDirectory(dataDir), { kind: 'empty' })
  await mkdir(dataDir)
  await mkdir(join(dataDir, 'lost+found'))
  await writeFile(join(dataDir, '.keep'), '')
  assert.deepEqual(await inspectDataDirectory(dataDir), { kind: 'empty' })
  await writeFile(join(dataDir, 'x'), '')
  assert.deepEqual(await inspectDataDirectory(dataDir), { kind: 'present' })
  await writeFile(join(root, 'file'), '')
  assert.equal((await inspectDataDirectory(join(root, 'file'))).kind, 'inaccessible')
})
