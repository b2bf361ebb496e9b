import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import { clusterSettings, DEFAULT_TIMING } from '../../cluster/settings.ts'
import { effectiveConfig } from '../effective.ts'
import { readEnvironment, variableFor } from '../environment.ts'
import { configurationSchema } from '../validation/schema.ts'
import { parseYaml } from '../yaml.ts'
import { DYNAMIC, KEYS } from './all.ts'

const MINIMAL = `{scope: s, name: n, restapi: {listen: 'h:1'}, etcd3: {host: h},
  postgresql: {listen: 'h:2', data_dir: /d, authentication: {replication: {username: r}}}}`

function leaves(schema: JsonObject, path: readonly string[]): string[] {
  const properties = schema['properties']
  if (!isObject(properties)) return [path.join('.')]
  return Object.entries(properties).flatMap(([key, one]) => leaves(one as JsonObject, [...path, key]))
}

test('every key that is checked is explained, once', () => {
  const paths = KEYS.map(({ path }) => path)
  assert.deepEqual(
    paths.filter((path, i) => paths.indexOf(path) !== i),
    [],
  )
  const checked = leaves(configurationSchema(), []).filter((path) => !paths.includes(path))
  assert.deepEqual(checked, [])
})

test('every key says what it is, in a sentence, and what may stand there', () => {
  const schema = configurationSchema()
  for (const { path, meaning, schema: own } of KEYS) {
    assert.match(meaning, /^[A-Z`"].*\.$/, path)
    const told = path.split('.').reduce<JsonObject>((inner, key) => {
      const properties = inner['properties']
      const found = isObject(properties) ? properties[key] : undefined
      return isObject(found) ? found : {}
    }, schema)
    const known = path.includes('<') ? own : ['type', 'enum', 'anyOf', 'examples'].some((word) => word in told)
    assert.ok(known, `${path}: nothing says its type`)
  }
})

const camel = (key: string): string => key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

/** Names in the typed configuration that differ from those in the file. */
const RENAMED: Readonly<Record<string, string>> = { dateformat: 'dateFormat' }

test('the defaults that are told are those in force', () => {
  const parsed = parseYaml(MINIMAL)
  assert.ok(parsed.kind === 'document')
  const document = parsed.value as JsonObject
  const local = { document, sources: [], environment: readEnvironment({}) }
  const effective = effectiveConfig({ local, dynamic: {}, previous: null, place: { cwd: '/', home: '/' } })
  assert.ok(effective.kind === 'ok')
  const typed: Readonly<Record<string, object>> = {
    ...(effective.config as unknown as Record<string, object>),
    [DYNAMIC]: clusterSettings({}, DEFAULT_TIMING),
  }
  const compared = KEYS.flatMap(({ path, default: told }): string[] => {
    const cut = path.lastIndexOf('.')
    const section = typed[path.slice(0, cut)] as Readonly<Record<string, Json>> | undefined
    const key = path.slice(cut + 1)
    const name = RENAMED[key] ?? camel(key)
    if (told === undefined || !section) return []
    if (name in section) {
      const inForce = section[name]
      // off, false: the same setting in two spellings.
      if (key !== 'synchronous_mode') assert.deepEqual(inForce, told, path)
      return [path]
    }
    const inMs = section[`${name}Ms`]
    if (inMs === undefined) return []
    assert.equal(inMs, told === '30min' ? 1_800_000 : Number(told) * 1000, path)
    return [path]
  })
  assert.ok(compared.length > 45, `only ${compared.length} were compared`)
})

test('4.2 every variable that is told sets its key', () => {
  const told = KEYS.flatMap(({ path }) => {
    const variable = path.startsWith(DYNAMIC) ? null : variableFor(path)
    return variable === null ? [] : [{ path, variable }]
  })
  assert.ok(told.length > 100)
  for (const { path, variable } of told) {
    const values = ['1', 'true', '[a]', '{a: b}']
    const sets = values.some((value) => {
      const { document, conditional } = readEnvironment({ [variable]: value })
      const at = (tree: JsonObject): unknown =>
        path.split('.').reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), tree)
      return at(document) !== undefined || at(conditional) !== undefined
    })
    assert.ok(sets, `${variable} does not set ${path}`)
  }
})
