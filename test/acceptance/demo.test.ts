import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { until } from '../../lab/wait.ts'

const LIMIT_MS = 120_000
const PROGRAM = '.build/tools/demo.cjs'

const folder = mkdtempSync(join(tmpdir(), 'demo-test-'))
const started: ChildProcess[] = []
after(async () => {
  // Where a test failed its demo still runs, and would keep this file from ending.
  await Promise.all(started.filter((child) => child.exitCode === null && child.signalCode === null).map(interrupted))
  rmSync(folder, { recursive: true, force: true })
})

async function interrupted(child: ChildProcess): Promise<void> {
  const end = ended(child)
  child.kill('SIGINT')
  await end
}

/** The demo as from a terminal. There is no etcd. */
function demo(...words: readonly string[]): { readonly child: ChildProcess; readonly said: () => string } {
  assert.ok(existsSync(PROGRAM), 'npm run build')
  const env = { ...process.env, ETCD: join(folder, 'no-etcd-here') }
  const child = spawn(process.execPath, [PROGRAM, ...words], { env })
  started.push(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return { child, said: () => text }
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('close', (code) => resolve(code)))
}

/** Processes that work below this folder. */
function workersIn(path: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(path)
    } catch {
      return false
    }
  })
}

test('the demo needs no etcd, shows three members, and Ctrl-C leaves nothing behind', {
  timeout: LIMIT_MS,
}, async () => {
  const { child, said } = demo()
  const end = ended(child)
  await until('three members are shown', LIMIT_MS, () => {
    assert.equal(child.exitCode, null, said())
    return (said().match(/ replica +streaming /g) ?? []).length >= 2 && /pg\d .* leader +running/.test(said())
  })
  const [place = ''] = /(?<=below )\S+/.exec(said()) ?? []
  assert.ok(workersIn(place).length > 3)
  await until('it says how to look closer', LIMIT_MS, () => /matriarchctl -c \S+ raft status/.test(said()))
  child.kill('SIGINT')
  assert.equal(await end, 0, said())
  assert.match(said(), /Nothing is left behind\.\n$/)
  assert.deepEqual([workersIn(place), existsSync(place)], [[], false])
})

test('Ctrl-C while the demo begins leaves nothing behind either', { timeout: LIMIT_MS }, async () => {
  const { child, said } = demo()
  const end = ended(child)
  await until('it begins', LIMIT_MS, () => /(?<=below )\S+\n/.test(said()))
  const [place = ''] = /(?<=below )\S+/.exec(said()) ?? []
  child.kill('SIGINT')
  assert.equal(await end, 0, said())
  assert.deepEqual([workersIn(place), existsSync(place)], [[], false])
})

test('a store that does not exist is refused in one line', async () => {
  const { child, said } = demo('--dcs', 'paper')
  assert.equal(await ended(child), 1)
  assert.equal(said(), 'demo: --dcs paper: choose one of etcd3, raft\n')
})

test('./demo asks for etcd only where it is wanted', () => {
  const path = join(folder, 'bin')
  mkdirSync(path)
  for (const name of ['bash', 'dirname', 'id', 'ls', 'sort']) {
    symlinkSync(execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(), join(path, name))
  }
  const servers = (...words: readonly string[]): readonly [code: number | null, text: string] => {
    const script = `. scripts/bootstrap.sh; need_servers ${words.join(' ')}; echo "$PGBIN"`
    const env = { PATH: path, MATRIARCH_NO_INSTALL: 'yes', PGBIN: process.env['PGBIN'] ?? '' }
    const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return [status, stdout + stderr]
  }
  const [code, found] = servers()
  assert.equal(code, 0, found)
  assert.ok(existsSync(join(found.trim(), 'initdb')), found)
  const [refused, reason] = servers('etcd')
  assert.equal(refused, 1)
  assert.match(reason, /missing: etcd-server/)
})
