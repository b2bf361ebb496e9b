import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const folder = mkdtempSync(join(tmpdir(), 'matriarch-ports-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const environment = { ...process.env, MATRIARCH_PORT_CLAIMS: folder, MATRIARCH_PORTS: '19000-19299' }
const program = (then: string): readonly string[] => [
  '--input-type=module',
  '-e',
  `import { freePorts } from '${new URL('./ports.js', import.meta.url).href}'; console.log(...(await freePorts(2))); ${then}`,
]

const asked = (): number[] => {
  const { stdout, stderr } = spawnSync(process.execPath, program(''), { env: environment, encoding: 'utf8' })
  assert.equal(stderr, '')
  return stdout.trim().split(' ').map(Number)
}

test('ports belong to a process as long as it lives, whether anybody listens on them or not', async () => {
  const holder = spawn(process.execPath, program('setInterval(() => {}, 1000)'), { env: environment })
  const [first] = (await once(holder.stdout, 'data')).map(String)
  assert.equal(first, '19000 19001\n')
  assert.deepEqual(asked(), [19100, 19101])
  assert.deepEqual(readdirSync(folder), ['matriarch-ports-19000'], 'who ends gives its ports back')
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  assert.deepEqual(asked(), [19000, 19001], 'and who is killed holds none')
})
