import { isObject, type Json, type JsonObject } from '../../../src/cluster/json.ts'
import { variableFor } from '../../../src/config/environment.ts'
import { DYNAMIC, KEYS } from '../../../src/config/keys/all.ts'
import type { Key } from '../../../src/config/keys/key.ts'
import { configurationSchema } from '../../../src/config/validation/schema.ts'

/** Title, the section whose keys it has, and what is to be said of them all. */
const CHAPTERS: readonly (readonly [title: string, section: string, about: string])[] = [
  ['Top of the file', '', ''],
  ['etcd3', 'etcd3', ''],
  ['raft', 'raft', 'The built-in store: [raft.md](raft.md).'],
  ['restapi', 'restapi', ''],
  ['ctl', 'ctl', 'How this member calls the others, and the command-line tool all of them.'],
  [
    'postgresql',
    'postgresql',
    'All but the addresses, directories, `pgpass` and `authentication` may also stand under `postgresql` of the dynamic ' +
      'configuration, and then hold for all members where their files say nothing.',
  ],
  ['bootstrap', 'bootstrap', 'Without this section a member never makes a cluster: it waits for one.'],
  ['log', 'log', ''],
  ['tags', 'tags', ''],
  ['watchdog', 'watchdog', ''],
  ['fence', 'fence', 'See [the lease guard](failover-timing.md#the-lease-guard).'],
  ['journal', 'journal', 'See [the journal](troubleshooting.md#the-journal).'],
  ['citus', 'citus', ''],
  [
    'Dynamic configuration',
    DYNAMIC,
    'In the store, the same for all members: `matriarchctl edit-config`. In the file it stands under `bootstrap.dcs`, for a new ' +
      'cluster. Parameters of PostgreSQL named here must be alike on all members and count only here.',
  ],
  ...['consul', 'etcd', 'exhibitor', 'kubernetes', 'zookeeper'].map(
    (store) => [store, store, 'Checked by `--validate-config`; this version can not use it as a store.'] as const,
  ),
]

/** The reference as Markdown: one table for each section. */
export function configurationReference(): string {
  const schema = configurationSchema()
  return CHAPTERS.map(([title, section, about]) => {
    const rows = KEYS.filter(({ path }) => chapterOf(path) === section).map((key) => row(key, section, schema))
    const head = ['| Key | Type | Default | A change needs | Variable | Meaning |', '|---|---|---|---|---|---|']
    return [`### ${title}`, '', ...(about === '' ? [] : [about, '']), ...head, ...rows, ''].join('\n')
  }).join('\n')
}

function chapterOf(path: string): string {
  const sections = CHAPTERS.map(([, section]) => section).filter((section) => path.startsWith(`${section}.`))
  return sections.sort((a, b) => b.length - a.length)[0] ?? ''
}

const NEEDS = {
  reload: 'reload',
  PostgreSQL: 'restart of PostgreSQL',
  agent: 'restart of the agent',
  'new cluster': 'a new cluster',
}

function row(key: Key, section: string, schema: JsonObject): string {
  const name = section === '' ? key.path : key.path.slice(section.length + 1)
  const isDynamic = section === DYNAMIC
  const variable = isDynamic ? null : variableFor(key.path)
  const needs = isDynamic && key.change === 'reload' ? 'nothing' : NEEDS[key.change]
  const cells = [
    code(name),
    typeOf(key, schema),
    defaultOf(key, schema),
    needs,
    variable === null ? '' : code(variable),
  ]
  return `| ${[...cells, key.meaning].join(' | ')} |`.replace(/ {2,}/g, ' ')
}

const code = (text: string): string => `\`${text}\``

function defaultOf({ default: value, otherwise, path }: Key, schema: JsonObject): string {
  if (otherwise !== undefined) return otherwise
  // YAML 1.1 reads `off` as false, and so is the setting written.
  if (value === false && wordsOf(schemaAt(schema, path.split('.'))).includes('off')) return code('off')
  if (value !== undefined) return typeof value === 'string' ? code(value) : code(JSON.stringify(value))
  return isRequired(path.split('.'), schema) ? 'must be set' : ''
}

/** With all mappings around it; a store is asked for its keys only where it is used. */
function isRequired(path: readonly string[], schema: JsonObject): boolean {
  return path.every((key, i) => {
    const required = schemaAt(schema, path.slice(0, i))['required']
    return (Array.isArray(required) && required.includes(key)) || (i === 0 && OPTIONAL_SECTIONS.includes(key))
  })
}

const OPTIONAL_SECTIONS = ['raft', 'exhibitor', 'kubernetes', 'zookeeper', 'consul', 'citus']

function typeOf(key: Key, schema: JsonObject): string {
  const found = key.path.includes('<') ? (key.schema ?? {}) : schemaAt(schema, key.path.split('.'))
  return typeText(found, key.default)
}

function schemaAt(schema: JsonObject, path: readonly string[]): JsonObject {
  return path.reduce<JsonObject>((inner, key) => object(object(inner['properties'])[key]), schema)
}

const object = (value: Json | undefined): JsonObject => (isObject(value) ? value : {})
const WORDS: Readonly<Record<string, string>> = { string: 'text', object: 'mapping', array: 'list', integer: 'integer' }

function typeText(schema: JsonObject, fallback: Json | undefined): string {
  const words = wordsOf(schema)
  if (words.length > 0) return words.map(code).join(', ')
  const options = schema['anyOf']
  if (Array.isArray(options) && !('properties' in schema))
    return [...new Set(options.map((option) => typeText(object(option), undefined)))].join(' or ')
  const types = [schema['type'] ?? []].flat().map(String)
  // A number may be written as text; the reader is told what is meant.
  if (types.includes('number') || (types.includes('integer') && typeof fallback === 'number'))
    return `${types.includes('integer') ? 'integer' : 'number'}${rangeText(schema)}`
  const names = types.map((type) => WORDS[type] ?? type)
  return `${names.join(' or ') || 'any'}${rangeText(schema)}`
}

function wordsOf(schema: JsonObject): readonly string[] {
  const words = schema['enum'] ?? schema['examples']
  return Array.isArray(words) ? words.filter((word) => typeof word === 'string') : []
}

function rangeText({ minimum, maximum }: JsonObject): string {
  if (typeof minimum !== 'number') return ''
  return typeof maximum === 'number' && maximum < 2_147_483_647 ? `, ${minimum} to ${maximum}` : `, from ${minimum} on`
}
