import { isObject, type Json, type JsonObject, parseJson } from '../../cluster/json.ts'

/**
 * The JSON gateway's encoding (spec dcs.md 3.2): keys and values in base64, 64-bit numbers as decimal text, fields
 * that are zero, false or empty left out. Ids and revisions stay text here: they exceed what a number holds exactly.
 */
export interface KeyValue {
  readonly key: string
  readonly value: string
  readonly modRevision: string
  /** Decimal id; `null` for a key that lives on no lease. */
  readonly lease: string | null
}

/** What every answer says about the server that gave it. */
export interface Header {
  readonly clusterId: string | null
  readonly revision: string
  readonly raftTerm: bigint | null
}

export function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64')
}

export function decode(value: Json | undefined): string {
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString('utf8') : ''
}

/** The end of the range of all keys that begin with `prefix`: its last byte below 0xff, plus one. */
export function prefixEnd(prefix: string): string {
  const bytes = Buffer.from(prefix, 'utf8')
  for (let i = bytes.length - 1; i >= 0; i -= 1) {
    const byte = bytes[i] as number
    if (byte < 0xff) return Buffer.concat([bytes.subarray(0, i), Buffer.from([byte + 1])]).toString('base64')
  }
  // No such prefix: to the end of the key space.
  return Buffer.from([0]).toString('base64')
}

/** A 64-bit number as decimal text; `0` where it is missing or something else. */
export function int64(value: Json | undefined): string {
  if (typeof value === 'string' && /^-?\d+$/.test(value)) return value
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : '0'
}

export function isNewer(revision: string, than: string): boolean {
  return revision.length === than.length ? revision > than : revision.length > than.length
}

export function newest(a: string, b: string): string {
  return isNewer(a, b) ? a : b
}

export function following(revision: string): string {
  return (BigInt(revision) + 1n).toString()
}

export function readHeader(answer: JsonObject): Header {
  const header = isObject(answer['header']) ? answer['header'] : {}
  const clusterId = int64(header['cluster_id'])
  const term = int64(header['raft_term'])
  return {
    clusterId: clusterId === '0' ? null : clusterId,
    revision: int64(header['revision']),
    raftTerm: term === '0' ? null : BigInt(term),
  }
}

export function readKeyValue(value: Json | undefined): KeyValue | null {
  if (!isObject(value) || typeof value['key'] !== 'string') return null
  const lease = int64(value['lease'])
  return {
    key: decode(value['key']),
    value: decode(value['value']),
    modRevision: int64(value['mod_revision']),
    lease: lease === '0' ? null : lease,
  }
}

export function readKeyValues(value: Json | undefined): KeyValue[] {
  return Array.isArray(value) ? value.map(readKeyValue).filter((kv) => kv !== null) : []
}

/**
 * The first JSON document of an answer. The gateway's streaming calls end it with a newline and may append the text of
 * HTTP trailers.
 */
export function firstDocument(body: string): JsonObject | undefined {
  const whole = parseJson(body)
  if (whole !== undefined) return isObject(whole) ? whole : undefined
  for (const document of new JsonDocuments().push(body)) return isObject(document) ? document : undefined
  return undefined
}

/** Cuts a stream of JSON objects, separated by white space or nothing, out of chunks that end anywhere. */
export class JsonDocuments {
  #text = ''
  #scanned = 0
  #depth = 0
  #inString = false
  #escaped = false

  /** Characters of a document that has not ended yet: who reads a stream puts a limit to it. */
  get waiting(): number {
    return this.#text.length
  }

  /** @returns the documents that are complete now; `undefined` for one that is not JSON */
  push(chunk: string): (Json | undefined)[] {
    this.#text += chunk
    const documents: (Json | undefined)[] = []
    let start = 0
    for (let i = this.#scanned; i < this.#text.length; i += 1) {
      if (!this.#endsDocument(this.#text[i] as string)) continue
      documents.push(parseJson(this.#text.slice(start, i + 1)))
      start = i + 1
    }
    this.#text = this.#text.slice(start)
    this.#scanned = this.#text.length
    return documents
  }

  #endsDocument(char: string): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (char === '\\') this.#escaped = true
      else if (char === '"') this.#inString = false
      return false
    }
    if (char === '"') this.#inString = true
    else if (char === '{' || char === '[') this.#depth += 1
    else if (char === '}' || char === ']') {
      this.#depth -= 1
      return this.#depth === 0
    }
    return false
  }
}
