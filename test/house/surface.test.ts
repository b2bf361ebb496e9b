import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { COMMANDS } from '../../src/ctl/commands.ts'

interface Row {
  readonly name: string
  readonly file: string
}

const ROWS: readonly Row[] = readFileSync('docs/surface.md', 'utf8')
  .split('\n')
  .flatMap((line) => {
    const found = /^\| `([^`]+)` \| .* \| `([^`]+)` \|$/.exec(line)
    return found ? [{ name: found[1] as string, file: found[2] as string }] : []
  })

function operations(): readonly string[] {
  const document = parse(readFileSync('docs/openapi.yaml', 'utf8')) as {
    paths: Record<string, Record<string, unknown>>
  }
  const methods = ['get', 'post', 'put', 'patch', 'delete']
  return Object.entries(document.paths).flatMap(([path, item]) =>
    methods.filter((method) => method in item).map((method) => `${method.toUpperCase()} ${path}`),
  )
}

test('docs/surface.md names every command and every path of the REST API, once, and nothing else', () => {
  const expected = [...Object.keys(COMMANDS), ...operations()]
  assert.deepEqual(ROWS.map(({ name }) => name).sort(), expected.sort())
})

test('every test that docs/surface.md names exists and speaks of what it is named for', () => {
  const silent = ROWS.filter(({ name, file }) => {
    if (!existsSync(file)) return true
    // All paths that are described are asked for there, whatever they are.
    if (file === 'src/api/openapi.test.ts') return false
    const word = name.split(' ').at(-1)?.replace('{path}', '') ?? name
    return !readFileSync(file, 'utf8').includes(word)
  })
  assert.deepEqual(silent, [])
})
