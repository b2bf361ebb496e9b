import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { clusterSettings } from '../cluster/settings.ts'
import { effectiveConfig } from './effective.ts'
import { readEnvironment } from './environment.ts'
import { DYNAMIC, KEYS } from './keys/all.ts'
import { type LocalConfiguration, printProblem } from './local.ts'
import { parseYaml } from './yaml.ts'

const WHOLE = `{scope: s, name: n, restapi: {listen: 'h:1'}, etcd3: {host: h}, bootstrap: {dcs: {}},
  postgresql: {listen: 'h:2', data_dir: /d, authentication: {replication: {username: r}}}}`

/** No message about a password may show it. */
const SECRET = 'hunter2'

const HOSTILE: readonly (readonly [title: string, value: Json])[] = [
  ['null', null],
  ['true', true],
  ['zero', 0],
  ['a negative number', -7],
  ['a fraction', 0.5],
  ['a huge number', 1e300],
  ['infinity', Number.POSITIVE_INFINITY],
  ['not a number', Number.NaN],
  ['empty text', ''],
  ['text', SECRET],
  ['text with a zero byte', `${SECRET}\u0000`],
  ['lines', `${SECRET}\n${SECRET}`],
  ['half a surrogate pair', `${SECRET}\ud800`],
  ['a long text', SECRET.repeat(2_000)],
  ['digits without end', '9'.repeat(1000)],
  ['the name of a method', 'constructor'],
  ['a number with the name of a method as its unit', '5 constructor'],
  ['an empty list', []],
  ['a list', [SECRET]],
  ['a list of everything', [null, true, 1, SECRET, [SECRET], { a: SECRET }]],
  ['an empty mapping', {}],
  ['a mapping', { a: SECRET }],
  ['names of the prototype', JSON.parse(`{"__proto__": {"x": "${SECRET}"}, "constructor": 1, "toString": "x"}`)],
]

function read(text: string): JsonObject {
  const parsed = parseYaml(text)
  assert.ok(parsed.kind === 'document' && isObject(parsed.value))
  return parsed.value
}

function withKey(document: JsonObject, [key = '', ...rest]: readonly string[], value: Json): JsonObject {
  if (rest.length === 0) return { ...document, [key]: value }
  const inner = document[key]
  return { ...document, [key]: withKey(isObject(inner) ? inner : {}, rest, value) }
}

function localOf(document: JsonObject): LocalConfiguration {
  return { document, sources: [], environment: readEnvironment({}) }
}

/** Numbers that nobody can use: they end up in timers and sizes. */
function unusable(value: unknown, path: string): string[] {
  if (AS_WRITTEN.includes(path)) return []
  if (typeof value === 'number') return Number.isFinite(value) ? [] : [`${path} is ${value}`]
  if (typeof value === 'function' || typeof value === 'symbol') return [`${path} is a ${typeof value}`]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, one]) => unusable(one, `${path}.${key}`))
}

/** What is handed on as it was written: whoever uses it reads it with care. */
const AS_WRITTEN = [
  'document',
  'local',
  'dynamic',
  'acceptedDynamic',
  'store',
  'tags',
  'log.format',
  'log.staticFields',
  'bootstrap.dcs',
  'bootstrap.custom',
  'bootstrap.initdb',
  ...['section', 'methodSections', 'parameters', 'recoveryConf', 'basebackup', 'rewindOptions'].map(
    (key) => `postgresql.${key}`,
  ),
].map((key) => `config.${key}`)

const place = { cwd: '/', home: '/' }

function hostileAt(path: string, value: Json): void {
  const keys = path.replaceAll(/<[^>]*>/g, 'any').split('.')
  const document = withKey(read(WHOLE), keys, value)
  const outcome = effectiveConfig({ local: localOf(document), dynamic: {}, previous: null, place })
  const problems = outcome.kind === 'ok' ? outcome.warnings : outcome.problems
  for (const problem of problems) {
    const line = printProblem(problem)
    assert.ok(line.length < 500, `${line.length} characters: ${line.slice(0, 100)}`)
    assert.doesNotMatch(line, /\[object|undefined|native code/)
    if (/password|token|auth$/.test(path)) assert.ok(!line.includes(SECRET), 'a message shows the secret')
  }
  if (outcome.kind === 'broken') {
    const [section = ''] = keys
    assert.ok(
      problems.some(({ key }) => key !== '' && (key.startsWith(section) || section === key)),
      `no message names ${path}: ${problems.map(printProblem).join('; ').slice(0, 300)}`,
    )
    return
  }
  assert.deepEqual(unusable(outcome.config, 'config'), [])
}

function hostileDynamic(path: string, value: Json): void {
  const keys = path
    .slice(DYNAMIC.length + 1)
    .replaceAll(/<[^>]*>/g, 'any')
    .split('.')
  const before = effectiveConfig({ local: localOf(read(WHOLE)), dynamic: { ttl: 40 }, previous: null, place })
  assert.ok(before.kind === 'ok')
  const dynamic = withKey({ ttl: 40 }, keys, value)
  const after = effectiveConfig({ local: localOf(read(WHOLE)), dynamic, previous: before.config, place })
  assert.equal(after.kind, 'ok')
  if (after.kind !== 'ok') return
  const { rejected, config, warnings } = after
  for (const line of [rejected ?? '', ...warnings.map(printProblem)]) {
    assert.ok(line.length < 500, `${line.length} characters: ${line.slice(0, 100)}`)
    assert.doesNotMatch(line, /\[object|undefined|native code/)
  }
  if (rejected !== null) {
    assert.match(rejected, new RegExp(keys[0] ?? ''))
    assert.deepEqual(config.timing, before.config.timing)
  }
  assert.deepEqual(unusable(config.timing, 'timing'), [])
  const { permanentSlots: _, ignoreSlots: __, ...settings } = clusterSettings(dynamic, config.timing)
  assert.deepEqual(unusable(settings, 'settings'), [])
}

describe('1.2 whatever stands at a key, it is read, left out with a message that names it, or refused', () => {
  for (const { path } of KEYS)
    if (path !== DYNAMIC)
      test(path, () => {
        const at = path.startsWith(`${DYNAMIC}.`) ? hostileDynamic : hostileAt
        const wrong = HOSTILE.flatMap(([title, value]) => {
          try {
            at(path, value)
            return []
          } catch (error) {
            return [`${title}: ${(error as Error).message.slice(0, 300)}`]
          }
        })
        assert.deepEqual(wrong, [])
      })
})
