import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { testWorld } from './testing/world.ts'

/** What bash would offer at the end of a line. */
function offered(script: string, ...line: string[]): string[] {
  const words = line.map((one) => `'${one}'`).join(' ')
  const ask = `${script}\nCOMP_WORDS=(${words}); COMP_CWORD=${line.length - 1}; _patronictl; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', ask], { encoding: 'utf8' })
    .split('\n')
    .filter((one) => one !== '')
}

test('bash completes commands, options of a command and their words', async () => {
  const { code, out } = await testWorld({}).run('completion', 'bash')
  assert.equal(code, 0)
  assert.deepEqual(offered(out, 'matriarchctl', 'sw'), ['switchover'])
  assert.deepEqual(offered(out, 'matriarchctl', '-c', 'x.yml', 'switchover', '--cand'), ['--candidate'])
  assert.ok(offered(out, 'matriarchctl', 'list', '-f', '').includes('json'))
  assert.ok(offered(out, 'matriarchctl', 'flush', 'sw').includes('switchover'))
})

for (const shell of ['zsh', 'fish'])
  test(`${shell} gets a script that names every command`, async () => {
    const { code, out } = await testWorld({}).run('completion', shell)
    assert.equal(code, 0)
    for (const command of ['switchover', 'why', 'edit-config']) assert.match(out, new RegExp(`\\b${command}\\b`))
  })
