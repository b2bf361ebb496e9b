import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

let folder = ''
const program = (name: string): string => join(folder, 'package', 'bin', name)

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'matriarch-house-'))
  cpSync('bin', join(folder, 'package', 'bin'), { recursive: true })
})

after(() => rmSync(folder, { recursive: true, force: true }))

function build(text: string): void {
  const dist = join(folder, 'package', 'dist')
  mkdirSync(dist, { recursive: true })
  for (const name of ['matriarch', 'matriarchctl']) writeFileSync(join(dist, `${name}.cjs`), text)
}

test('a start script says in one line that the program has not been built', () => {
  for (const name of ['matriarch', 'matriarchctl']) {
    const { status, stderr } = spawnSync(program(name), ['x'], { encoding: 'utf8' })
    assert.equal(status, 1)
    assert.equal(stderr, `${name}: not built yet, run: npm ci && npm run build\n`)
  }
})

test('a start script works through links and hands over its arguments as they are', () => {
  build('process.stdout.write(JSON.stringify(process.argv.slice(2)))')
  for (const name of ['matriarch', 'matriarchctl']) {
    symlinkSync(program(name), join(folder, `direct-${name}`))
    symlinkSync(`direct-${name}`, join(folder, `link-${name}`))
    const { stdout } = spawnSync(join(folder, `link-${name}`), ['a b', '', '*'], { encoding: 'utf8', cwd: '/' })
    assert.equal(stdout, '["a b","","*"]')
  }
})

test('the agent is the very process that was started: signals and process ids reach it', async () => {
  build('process.stdout.write(String(process.pid)); setInterval(() => {}, 1000)')
  const child = spawn(program('matriarch'), [])
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())),
  )
  assert.equal(Number(said), child.pid)
  child.kill('SIGTERM')
  const signal = await new Promise((resolve) => child.once('exit', (_, name) => resolve(name)))
  assert.equal(signal, 'SIGTERM')
})

test('the agent runs with the options of V8 that save memory and time, of which one is known to Node.js 20 alone', () => {
  build('process.stdout.write(process.execArgv.join(" "))')
  const { stdout } = spawnSync(program('matriarch'), [], { encoding: 'utf8' })
  const all =
    '--max-semi-space-size=2 --initial-old-space-size=16 --max-old-space-size=512 --no-memory-reducer --expose-gc --single-threaded-gc'
  assert.equal(stdout, process.version.startsWith('v20.') ? `${all} --interrupt-budget=600000` : all)
})

test('a start script says in one line that Node.js is missing or too old', () => {
  build('')
  const old = join(folder, 'old-node')
  writeFileSync(old, '#!/bin/sh\necho v18.20.4\n')
  chmodSync(old, 0o755)
  const cases: readonly [node: string, expected: RegExp][] = [
    [old, /^matriarch(ctl)?: Node\.js 18\.20\.4 is not supported, install version 20, 22, 24 or later\n$/],
    [join(folder, 'nowhere'), /^matriarch(ctl)?: Node\.js is missing, install version 20, 22, 24 or later\n$/],
  ]
  for (const [node, expected] of cases) {
    for (const name of ['matriarch', 'matriarchctl']) {
      const { status, stderr } = spawnSync(program(name), [], {
        encoding: 'utf8',
        env: { ...process.env, MATRIARCH_NODE: node },
      })
      assert.equal(status, 1)
      assert.match(stderr, expected)
    }
  }
})
