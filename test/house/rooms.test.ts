import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ROOMS, violations } from './rooms.ts'

test('imports between the rooms go downwards only', () => {
  const files = ['src', 'sim', 'lab', 'bench', 'chaos'].flatMap(sourcesIn)
  assert.ok(files.length > 30, 'the sources were found')
  const found = files.flatMap((file) => violations(file, readFileSync(file, 'utf8')))
  assert.deepEqual(
    found.map(({ file, line, because }) => `${file}:${line}: ${because}`),
    [],
  )
})

test('an import upwards, between adapters, or of a module that the room must not know is found', () => {
  const cases: readonly [file: string, source: string, expected: RegExp][] = [
    ['src/cluster/lsn.ts', "import type { Clock } from '../ports/clock.ts'", /may not import from src\/ports/],
    ['src/ha/cycle.ts', "import { x } from '../postgres/control.ts'", /may not import from src\/postgres/],
    ['src/ha/cycle.ts', "import { readFileSync } from 'node:fs'", /may not import node:fs/],
    ['src/dcs/etcd3/watch.ts', "import {\n  x,\n} from '../../postgres/x.ts'", /may not import from src\/postgres/],
    ['src/api/server.ts', "export * from '../agent/main.ts'", /may not import from src\/agent/],
    ['src/agent/main.ts', "const x = await import('../ctl/main.ts')", /may not import from src\/ctl/],
    ['src/dcs/etcd3/http.ts', "import { request } from 'undici'", /may not import undici/],
    ['src/log/log.ts', "import { x } from './format'", /end in \.ts/],
    ['src/utils/x.ts', '', /no room/],
    ['lab/demo/main.ts', "import { x } from '../../src/agent/main.ts'", /may not import from src\/agent/],
  ]
  for (const [file, source, expected] of cases) {
    const [first, ...more] = violations(file, source)
    assert.match(first?.because ?? 'nothing found', expected, file)
    assert.equal(more.length, 0)
  }
})

test('imports downwards, of the own room and of the packages of the room are allowed', () => {
  assert.deepEqual(violations('src/agent/main.ts', "import { x } from '../ha/cycle.ts'\nimport 'node:fs'\n"), [])
  assert.deepEqual(violations('src/dcs/etcd3/watch.ts', "import { x } from '../lease.ts'\n"), [])
  assert.deepEqual(violations('src/ha/cycle.test.ts', "import { test } from 'node:test'\n"), [])
})

test('the order of the rooms has no circle', () => {
  const below = (room: string, seen: readonly string[]): void => {
    assert.ok(!seen.includes(room), [...seen, room].join(' > '))
    for (const next of ROOMS[`src/${room}`]?.rooms ?? []) if (next !== room) below(next, [...seen, room])
  }
  for (const room of Object.keys(ROOMS)) below(room.replace(/^src\//, ''), [])
})

function sourcesIn(folder: string): string[] {
  let names: string[] = []
  try {
    names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name}`)
}
