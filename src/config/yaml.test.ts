import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Json } from '../cluster/json.ts'
import { parseYaml, type YamlDocument } from './yaml.ts'

function read(text: string): Json {
  const result = parseYaml(text)
  if (result.kind === 'error') assert.fail(`${result.message} (line ${result.line})`)
  return result.value
}

function document(text: string): YamlDocument {
  const result = parseYaml(text)
  assert.equal(result.kind, 'document')
  return result
}

const SCALARS: readonly (readonly [string, Json])[] = [
  ...['yes', 'Yes', 'YES', 'on', 'On', 'ON', 'true', 'True', 'TRUE'].map((text) => [text, true] as const),
  ...['no', 'No', 'NO', 'off', 'Off', 'OFF', 'false', 'False', 'FALSE'].map((text) => [text, false] as const),
  ...['y', 'n', 'Y', 'N', 'yEs', 'tRue', 'oN'].map((text) => [text, text] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((text) => [text, null] as const),
  ['0644', 420],
  ['0777', 511],
  ['-010', -8],
  ['+010', 8],
  ['0', 0],
  ['00', 0],
  ['08', '08'],
  ['0o644', '0o644'],
  ['0x1F', 31],
  ['-0x1f', -31],
  ['0b101', 5],
  ['1_000', 1000],
  ['+1', 1],
  ['1:30', 90],
  ['22:22', 1342],
  ['1:30:00', 5400],
  ['-1:30', -90],
  ['22:80', '22:80'],
  ['5432:5432', '5432:5432'],
  ['127.0.0.1:8008', '127.0.0.1:8008'],
  ['20:30.15', 1230.15],
  ['1.5e+3', 1500],
  ['1e3', '1e3'],
  ['1.5e3', '1.5e3'],
  ['.5', 0.5],
  ['1.', 1],
  ['-1.5', -1.5],
  ['.inf', Number.POSITIVE_INFINITY],
  ['-.INF', Number.NEGATIVE_INFINITY],
  ['.', '.'],
  ['-', [null]],
  ['2020-01-01', '2020-01-01'],
  ['2001-12-14 21:59:43.10 -5', '2001-12-14 21:59:43.10 -5'],
  ['12345678901234567890', '12345678901234567890'],
  ['=', '='],
  ['"010"', '010'],
  ["'on'", 'on'],
  ['!!str 010', '010'],
  ['!!int 010', 8],
  ['100MB', '100MB'],
]

test('1.1 a plain scalar has the type that YAML 1.1 gives it', () => {
  for (const [text, expected] of SCALARS) assert.deepEqual(read(text), expected, `scalar ${JSON.stringify(text)}`)
})

test('1.1 the last of duplicate keys wins and keeps the place of the first', () => {
  assert.equal(JSON.stringify(read('a: 1\nb: 2\na: 3')), '{"a":3,"b":2}')
})

test('1.1 anchors, aliases and merge keys work as in PyYAML', () => {
  assert.deepEqual(read('x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}'), { x: { a: 1, b: 2 }, y: { a: 1, b: 3 } })
  assert.deepEqual(read('- &p {a: 1}\n- &q {a: 2, b: 2}\n- <<: [*p, *q]\n  c: 3'), [
    { a: 1 },
    { a: 2, b: 2 },
    { a: 1, b: 2, c: 3 },
  ])
  assert.equal(JSON.stringify(read('d: &d {z: 1}\ne:\n  a: 2\n  <<: *d')), '{"d":{"z":1},"e":{"z":1,"a":2}}')
})

test('1.1 a tower of aliases does not grow into a large tree', () => {
  const levels = Array.from({ length: 15 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)
  const value = read(['a0: &a0 x', ...levels].join('\n')) as Readonly<Record<string, Json>>
  const top = value['a15'] as readonly Json[]
  assert.ok(Array.isArray(top) && top[0] === top[1])
})

test('keys that are not text get their JSON spelling, keys with a meaning in JavaScript are plain keys', () => {
  assert.deepEqual(Object.keys(read('on: 1\n~: 2\nx: 3') as object), ['true', 'null', 'x'])
  assert.deepEqual(Object.entries(read('__proto__: {a: 1}\nconstructor: 2') as object), [
    ['__proto__', { a: 1 }],
    ['constructor', 2],
  ])
})

test('the line of every key and item is known, through merge keys as well', () => {
  const yaml = document('a: 1\nb:\n  c:\n  - x\n  - y: 2\n  d: &d\n    e: 3\nf:\n  <<: *d\n')
  assert.equal(yaml.lineOf(['a']), 1)
  assert.equal(yaml.lineOf(['b', 'c']), 3)
  assert.equal(yaml.lineOf(['b', 'c', 1, 'y']), 5)
  assert.equal(yaml.lineOf(['f', 'e']), 7)
  assert.equal(yaml.lineOf(['b', 'missing']), 2)
})

test('a broken text gives one error with its line and the keys around it, and never quotes a value', () => {
  const broken: readonly (readonly [string, number, string])[] = [
    ['a: 1\npostgresql:\n  authentication:\n    password: *s3cret\n', 4, 'postgresql.authentication.password'],
    ['a:\n  password: !s3cret x\n', 2, 'a.password'],
    ['a:\n  password: @s3cret\n', 2, 'a.password'],
    ['a:\n  b: "s3cret\n', 2, 'a.b'],
    ['a:\n  b: "\\s3cret"\n', 2, 'a.b'],
    ['a: [1, 2\nb: 1\n', 2, 'b'],
    ['a: 1\n---\nb: 2\n', 2, 'a'],
    ['a: s3cret: x\n', 1, 'a'],
    ['a: 1\n\tb: s3cret\n', 2, 'a'],
    ['a: "\u0007"\n', 1, 'a'],
    ['{[1]: 2}', 1, ''],
    ['a: &a [*a]', 1, 'a'],
  ]
  for (const [text, line, key] of broken) {
    const result = parseYaml(text)
    assert.equal(result.kind, 'error', text)
    if (result.kind !== 'error') continue
    assert.equal(result.line, line, `${text}: ${result.message}`)
    assert.equal(result.key, key, text)
    assert.doesNotMatch(result.message, /s3cret/)
  }
})

test('whatever the text is, the answer is a document or an error', () => {
  const syntax = fc.string({ unit: fc.constantFrom(...'ab: -[]{}#&*!|>\'"%@\n\t,?<~1.'.split('')), maxLength: 60 })
  fc.assert(
    fc.property(fc.oneof(syntax, fc.string({ unit: 'binary' })), (text) => {
      const result = parseYaml(text)
      if (result.kind === 'document') JSON.stringify(result.value)
      else assert.ok(result.message.length > 0)
    }),
    { numRuns: 3000 },
  )
  for (const text of ['['.repeat(50_000), '- '.repeat(50_000), '{a: '.repeat(50_000)])
    assert.equal(parseYaml(text).kind, 'error')
})

const STRUCTURES = [
  'a: {b: [1, two, 3.0], c: }\nd: ~',
  '- a\n- - b\n  - c\n- d: 1\n  e: 2',
  'a: |\n  x\n  y\nb: >\n  folded\n  text\n\n  more\nc: >-\n  z',
  "a: 'it''s'\nb: \"\\u00e9\\n\"\nc: multi\n  line plain",
  'a: [x, y,]\nb: {k: v, }\nc: [\n 1,\n 2\n]',
  'host: [h1:2379, h2:2379]\nurl: http://a:b@c:1/x?y#z # comment',
  '? complex\n: value\n? other\n',
  '%YAML 1.1\n---\na: 1\n...\n',
  'a: &x {p: 1}\nb: *x\nc:\n  <<: *x\n  q: 2',
  'pg_hba:\n- host all all 0.0.0.0/0 md5\n- local all all trust',
  'tags:\n    nofailover: true\n    x: "1"',
  'a: \tx\nb: -1\nc: - \n',
  'a: b: c',
  'a: [b',
  '\ta: 1',
  'a: *nope',
  'a: @x',
  'a: `x',
  'a: %x',
  'a: !foo x',
  'x: "a\\qb"',
  'a: 1\n b: 2',
  '',
  '# only a comment',
  '--- a\n--- b',
]

/** Asks the real PyYAML; a value comes back as [type, text] so that nothing is lost in JSON. */
const ORACLE = `
import sys, json, yaml, datetime
def show(v):
    if isinstance(v, dict): return {'m': [[show_key(k), show(x)] for k, x in v.items()]}
    if isinstance(v, list): return {'l': [show(x) for x in v]}
    if v is None: return 'null'
    if isinstance(v, bool): return 'bool ' + str(v).lower()
    if isinstance(v, int): return 'int ' + str(v)
    if isinstance(v, float): return 'float ' + repr(v)
    if isinstance(v, (datetime.date, datetime.datetime)): return 'date'
    return 'text ' + str(v)
def show_key(k): return json.dumps(k) if isinstance(k, (bool, int, float)) or k is None else str(k)
def one(text):
    try: return show(yaml.safe_load(text))
    except Exception: return 'error'
print(json.dumps([one(t) for t in json.load(sys.stdin)]))
`

function python(texts: readonly string[]): readonly Json[] | null {
  const run = spawnSync('/usr/bin/python3', ['-c', ORACLE], { input: JSON.stringify(texts), encoding: 'utf8' })
  return run.status === 0 ? (JSON.parse(run.stdout) as Json[]) : null
}

/** Whether our value is what the oracle describes; dates and large integers are text with us. */
function agrees(ours: Json, oracle: Json): boolean {
  if (typeof oracle === 'object' && oracle !== null) {
    const { m, l } = oracle as { m?: readonly (readonly [string, Json])[]; l?: readonly Json[] }
    if (l) return Array.isArray(ours) && ours.length === l.length && l.every((item, i) => agrees(ours[i] as Json, item))
    if (typeof ours !== 'object' || ours === null || Array.isArray(ours) || !m) return false
    const entries = Object.entries(ours)
    return entries.length === m.length && m.every(([key, item]) => key in ours && agrees((ours as never)[key], item))
  }
  const [type, ...rest] = String(oracle).split(' ')
  const text = rest.join(' ')
  if (type === 'null') return ours === null
  if (type === 'bool') return ours === (text === 'true')
  if (type === 'int') return (typeof ours === 'number' || typeof ours === 'string') && String(ours) === text
  if (type === 'float')
    return typeof ours === 'number' && Object.is(ours, Number(text.replace('inf', 'Infinity').replace('nan', 'NaN')))
  if (type === 'date') return typeof ours === 'string'
  return ours === text
}

function differences(texts: readonly string[], answers: readonly Json[]): string[] {
  return texts.filter((text, i) => {
    const result = parseYaml(text)
    const answer = answers[i] as Json
    // `=` alone and impossible dates: PyYAML fails, we keep the text.
    if (answer === 'error') return result.kind !== 'error'
    return result.kind === 'error' || !agrees(result.value, answer)
  })
}

/** Ten times ten times ten …: a few hundred characters that stand for a tree of `10 ** levels` entries. */
function bomb(levels: number): string {
  const level = (i: number): string =>
    `a${i}: &a${i} [${Array(10)
      .fill(i === 0 ? 'x' : `*a${i - 1}`)
      .join(', ')}]`
  return Array.from({ length: levels }, (_, i) => level(i)).join('\n')
}

test('1.1 what is too long, too deep, or grows too large by its aliases is refused in a sentence', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    [`k: ${'['.repeat(200)}${']'.repeat(200)}`, /^it is nested deeper than 100 levels$/],
    [`k: ${'['.repeat(200_000)}`, /./],
    [`k: ${'['.repeat(100_000)}${']'.repeat(100_000)}`, /^it is nested deeper than 100 levels$/],
    [`k: ${'{a: '.repeat(20_000)}${'}'.repeat(20_000)}`, /^it is nested deeper than 100 levels$/],
    [Array.from({ length: 1000 }, (_, i) => `${' '.repeat(i)}k:`).join('\n'), /^it is nested deeper than 100 levels$/],
    [`k: ${'- '.repeat(2000)}x`, /./],
    [bomb(9), /^with its aliases it has more than 1000000 entries$/],
    [
      Array.from({ length: 300 }, (_, i) => `a${i}: &a${i} [${i === 0 ? 'x' : `*a${i - 1}`}]`).join('\n'),
      /^it is nested deeper than 100 levels$/,
    ],
    [`k: ${'x'.repeat(3_000_000)}`, /^it is longer than 2097152 characters$/],
  ]
  for (const [text, message] of refused) {
    const result = parseYaml(text)
    assert.ok(result.kind === 'error', text.slice(0, 40))
    assert.match(result.message, message, text.slice(0, 40))
  }
  assert.equal(parseYaml(bomb(4)).kind, 'document')
  assert.equal(parseYaml(`k: ${'['.repeat(90)}${']'.repeat(90)}`).kind, 'document')
})

test('1.1 whatever the text is, it is read or refused with a message, never thrown at the caller', () => {
  const piece = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '\n',
    '  ',
    '\t',
    '[',
    ']',
    '{',
    '}',
    '&a ',
    '*a',
    '<<',
    '!',
    '!!int ',
    '? ',
    '|',
    '>',
    '#',
    '"',
    "'",
    '%',
    '---',
    '...',
    '\u0000',
    '\ufeff',
    '__proto__',
    ',',
    '\\',
    '0x',
    '~',
    '\r',
    '\u2028',
    '\ud800',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const result = parseYaml(pieces.join(''))
      if (result.kind === 'document') result.lineOf(['a', 0, '__proto__'])
      else assert.match(result.message, /^\S[^\n]{0,200}$/)
    }),
    { numRuns: 3000 },
  )
})

const NOTE = 'python3 with PyYAML is not here'
const present = python(['1']) !== null

test('1.1 PyYAML itself reads the tables the same', { skip: present ? false : NOTE }, () => {
  const texts = [...SCALARS.map(([text]) => text).filter((text) => text !== '='), ...STRUCTURES]
  assert.deepEqual(differences(texts, python(texts) ?? []), [])
})

test('1.1 PyYAML reads random number-like and word-like scalars the same', { skip: present ? false : NOTE }, () => {
  const character = fc.constantFrom(...'0123456789_+-.:eExXbofnaNOFTtrueyslIi~'.split(''))
  const scalar = fc.string({ unit: character, minLength: 1, maxLength: 9 })
  const samples = fc.sample(scalar, { numRuns: 4000, seed: 7 }).map((text) => `k: ${text}`)
  assert.deepEqual(differences(samples, python(samples) ?? []), [])
})
