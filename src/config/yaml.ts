import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
  visit,
  type YAMLMap,
} from 'yaml'
import type { Json, JsonObject } from '../cluster/json.ts'
import { floatValue, integerValue, resolveScalar, scalarKind } from './yaml-scalars.ts'

/** A step into a document: the key of a mapping or the index of a list. */
export type Path = readonly (string | number)[]

/** A YAML document as plain data. Aliased parts are shared, so a small text never grows into a large tree. */
export interface YamlDocument {
  readonly kind: 'document'
  readonly value: Json
  /** Line (from 1) of the key or item at `path`, of its nearest parent where it has none; `null` for an empty document. */
  lineOf(path: Path): number | null
}

/** Why a text is not YAML. The message never quotes the text: what stands there may be a password. */
export interface YamlError {
  readonly kind: 'error'
  readonly message: string
  readonly line: number | null
  /** The keys that lead to the line, as far as its surroundings show them. */
  readonly key: string
}

const UNPRINTABLE = /[^\t\n\r\x20-\x7e\x85\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/u

/** Nothing that people configure is longer; the agent renews no lease while it reads. */
const LENGTH_MAX = 2 ** 21
/** Who walks a deeper document, here or in the library, runs out of stack. */
const DEPTH_MAX = 100
const TOO_DEEP = `it is nested deeper than ${DEPTH_MAX} levels`
/** A small text with aliases of aliases becomes a large tree for everybody who compares or prints it. */
const ENTRIES_MAX = 1_000_000

/**
 * Reads one YAML 1.1 document as PyYAML's safe loader does (spec configuration.md 1.1): its scalars, anchors, aliases
 * and merge keys; the last of duplicate keys wins; key order is kept. Keys that are not text get their JSON spelling.
 */
export function parseYaml(source: string): YamlDocument | YamlError {
  const text = source.startsWith('\ufeff') ? source.slice(1) : source
  const lines = new LineCounter()
  const failed = (message: string, offset: number): YamlError => {
    const line = lines.linePos(offset).line
    return { kind: 'error', message, line, key: enclosingKeys(text, line) }
  }
  const bad = UNPRINTABLE.exec(text)
  if (bad) {
    const line = text.slice(0, bad.index).split('\n').length
    return { kind: 'error', message: 'special characters are not allowed', line, key: enclosingKeys(text, line) }
  }
  if (text.length > LENGTH_MAX) {
    return { kind: 'error', message: `it is longer than ${LENGTH_MAX} characters`, line: null, key: '' }
  }
  let parsed: Document.Parsed
  try {
    parsed = parse(text, lines)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return { kind: 'error', message: TOO_DEEP, line: null, key: '' }
  }
  const first = parsed.errors[0]
  if (first) {
    if (first.message.includes('call stack')) return failed(TOO_DEEP, first.pos[0])
    const offset = first.message.startsWith('Missing closing') ? lastScalarBefore(parsed, first.pos[0]) : first.pos[0]
    return failed(withoutQuotations(first.code, first.message), offset)
  }
  const reader = new Reader()
  try {
    const value = reader.read(parsed.contents)
    const top = parsed.contents?.range?.[0]
    return {
      kind: 'document',
      value,
      lineOf: (path) => (top === undefined ? null : lines.linePos(reader.offsetOf(value, path, top)).line),
    }
  } catch (error) {
    if (error instanceof Unreadable) return failed(error.message, error.offset)
    throw error
  }
}

function parse(text: string, lineCounter: LineCounter): Document.Parsed {
  return parseDocument(text, {
    version: '1.1',
    schema: 'failsafe',
    merge: false,
    resolveKnownTags: false,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
    lineCounter,
  })
}

class Unreadable extends Error {
  readonly offset: number
  constructor(message: string, node: Node) {
    super(message)
    this.offset = node.range?.[0] ?? 0
  }
}

const TAG = 'tag:yaml.org,2002:'

interface Size {
  readonly entries: number
  readonly depth: number
}
const LEAF: Size = { entries: 1, depth: 0 }

/** Turns the syntax tree into data, remembering where each key and item stood. */
class Reader {
  readonly #anchors = new Map<string, Json>()
  /** Offsets of the entries of every mapping and list that was made. */
  readonly #offsets = new WeakMap<object, Map<string | number, number>>()
  readonly #sizes = new WeakMap<object, Size>()
  #depth = 0

  read(node: Node | null): Json {
    if (node === null) return null
    if (++this.#depth > DEPTH_MAX) throw new Unreadable(TOO_DEEP, node)
    const value = this.#readWithAnchor(node)
    this.#depth -= 1
    return value
  }

  /** Counts a list or mapping as whoever walks it will see it: with what its aliases stand for. */
  #measured<T extends object>(value: T, node: Node): T {
    const inner = Object.values(value).map(
      (one) => (typeof one === 'object' && one !== null && this.#sizes.get(one)) || LEAF,
    )
    const entries = inner.reduce((sum, one) => sum + one.entries, 1)
    const depth = 1 + inner.reduce((deepest, one) => Math.max(deepest, one.depth), 0)
    if (entries > ENTRIES_MAX) throw new Unreadable(`with its aliases it has more than ${ENTRIES_MAX} entries`, node)
    if (depth > DEPTH_MAX) throw new Unreadable(TOO_DEEP, node)
    this.#sizes.set(value, { entries, depth })
    return value
  }

  #readWithAnchor(node: Node): Json {
    if (isAlias(node)) {
      const value = this.#anchors.get(node.source)
      if (value === undefined)
        throw new Unreadable('an alias (*name) has no anchor before it; text that begins with * needs quotes', node)
      return value
    }
    const value = this.#readOwn(node)
    if ('anchor' in node && typeof node.anchor === 'string') this.#anchors.set(node.anchor, value)
    return value
  }

  offsetOf(root: Json, path: Path, top: number): number {
    let offset = top
    let value: Json | undefined = root
    for (const step of path) {
      if (typeof value !== 'object' || value === null) break
      const found = this.#offsets.get(value)?.get(step)
      if (found === undefined) break
      offset = found
      value = (value as Readonly<Record<string | number, Json>>)[step]
    }
    return offset
  }

  #readOwn(node: Node): Json {
    if (isMap(node)) return this.#readMap(node)
    if (isSeq(node)) {
      refuseTag(node, ['seq'])
      const items = node.items.map((item) => this.read(asNode(item)))
      this.#offsets.set(items, new Map(node.items.map((item, i) => [i, asNode(item)?.range?.[0] ?? 0])))
      return this.#measured(items, node)
    }
    return isScalar(node) ? readScalar(node) : null
  }

  #readMap(map: YAMLMap): JsonObject {
    refuseTag(map, ['map', 'set'])
    const merged: Entry[] = []
    const own: Entry[] = []
    for (const pair of map.items) {
      const keyNode = asNode(pair.key)
      const valueNode = asNode(pair.value)
      if (isMergeKey(keyNode)) {
        merged.push(...this.#entriesToMerge(valueNode ?? keyNode))
        continue
      }
      const key = keyText(this.read(keyNode), keyNode ?? map)
      own.push({ key, value: this.read(valueNode), offset: (keyNode ?? valueNode ?? map).range?.[0] ?? 0 })
    }
    // Merged keys come first in the result, as in PyYAML; a later entry of the same key wins.
    const entries = [...merged, ...own]
    const value = Object.fromEntries(entries.map((entry) => [entry.key, entry.value]))
    this.#offsets.set(value, new Map(entries.map((entry) => [entry.key, entry.offset])))
    return this.#measured(value, map)
  }

  #entriesToMerge(node: Node): Entry[] {
    const value = this.read(node)
    const sources = Array.isArray(value) ? (value as readonly Json[]).toReversed() : [value]
    return sources.flatMap((source) => {
      if (typeof source !== 'object' || source === null || Array.isArray(source))
        throw new Unreadable('expected a mapping or a list of mappings for merging', node)
      const offsets = this.#offsets.get(source)
      return Object.entries(source).map(([key, item]) => ({ key, value: item, offset: offsets?.get(key) ?? 0 }))
    })
  }
}

interface Entry {
  readonly key: string
  readonly value: Json
  readonly offset: number
}

function asNode(value: unknown): Node | null {
  return isNode(value) ? value : null
}

function isMergeKey(node: Node | null): node is Scalar<string> {
  return isScalar(node) && node.type === Scalar.PLAIN && node.value === '<<' && node.tag === undefined
}

function keyText(key: Json, node: Node): string {
  if (typeof key === 'string') return key
  if (typeof key === 'object' && key !== null) throw new Unreadable('found unhashable key', node)
  return String(key)
}

function refuseTag(node: { readonly tag?: string } & Node, known: readonly string[]): void {
  const tag = node.tag
  if (tag !== undefined && tag !== '!' && !known.some((name) => tag === TAG + name))
    throw new Unreadable('an explicit tag (!name) is not supported here; text that begins with ! needs quotes', node)
}

function readScalar(node: Scalar): Json {
  const text = typeof node.value === 'string' ? node.value : ''
  const tag = node.tag
  if (tag === undefined) return node.type === Scalar.PLAIN ? resolveScalar(text) : text
  refuseTag(node, ['str', 'int', 'float', 'bool', 'null', 'timestamp', 'binary'])
  const kind = scalarKind(text)
  const wrong = (): never => {
    throw new Unreadable('the value does not fit its explicit tag', node)
  }
  switch (tag.slice(TAG.length)) {
    case 'int':
      return kind === 'integer' ? (integerValue(text) ?? wrong()) : wrong()
    case 'float':
      return kind === 'float' || kind === 'integer' ? floatValue(text) : wrong()
    case 'bool':
      return kind === 'boolean' ? resolveScalar(text) : wrong()
    case 'null':
      return null
    default:
      return text
  }
}

/** Where the text begins whose closing quote is missing: the place to look at, not the end of the file. */
function lastScalarBefore(parsed: Document, offset: number): number {
  let start = 0
  visit(parsed, {
    Scalar: (_, node) => {
      const begin = node.range?.[0] ?? 0
      if (begin > start && begin < offset) start = begin
    },
  })
  return start
}

/** The library's messages quote the source in a few places; those parts are left out. */
function withoutQuotations(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS') return 'expected a single document'
  if (code === 'TAG_RESOLVE_FAILED') return 'an explicit tag (!name) is not valid; text that begins with ! needs quotes'
  return message.replace(/: (?:"|[&*!]).*$/s, '').replace(/(extra characters|escape sequence).*$/s, '$1')
}

/** Dotted keys whose blocks enclose `line`, found by indentation: the text has no syntax tree where it is broken. */
function enclosingKeys(text: string, line: number): string {
  const keys: string[] = []
  let limit = Number.POSITIVE_INFINITY
  for (const one of text.split('\n').slice(0, line).toReversed()) {
    const match = /^( *)(?:- +)?([A-Za-z_][\w.-]*):(?:\s|$)/.exec(one)
    const indent = match?.[1]?.length ?? limit
    if (!match?.[2] || indent >= limit) continue
    keys.unshift(match[2])
    limit = indent
    if (indent === 0) break
  }
  return keys.join('.')
}
