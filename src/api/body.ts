import { isObject, type JsonObject, parseJson } from '../cluster/json.ts'
import type { RequestBody } from './request.ts'

export type BodyMode = 'required' | 'optional'

export type ParsedBody =
  | { readonly kind: 'object'; readonly object: JsonObject }
  /** The status of the error page that answers. */
  | { readonly kind: 'bad'; readonly status: 400 | 411 | 413; readonly because: string }

/** The JSON object in a body, by the rules of spec rest-api.md 2.5. An optional body that is missing is an empty object. */
export function parseBody(body: RequestBody, mode: BodyMode): ParsedBody {
  switch (body.kind) {
    case 'none':
      return mode === 'optional' ? EMPTY : bad(411, 'no Content-Length')
    case 'too-large':
      return bad(413, 'the body is too large')
    case 'bytes':
      return parseBytes(body.bytes, mode)
  }
}

const EMPTY: ParsedBody = { kind: 'object', object: {} }

function parseBytes(bytes: Uint8Array, mode: BodyMode): ParsedBody {
  if (bytes.length === 0) return mode === 'optional' ? EMPTY : bad(400, 'the body is empty')
  const text = decodeUtf8(bytes)
  if (text === undefined) return bad(400, 'the body is not UTF-8')
  if (nesting(text) > NESTING_MAX) return bad(400, `the body is nested deeper than ${NESTING_MAX} levels`)
  const parsed = parseJson(text)
  if (parsed === undefined) return bad(400, 'the body is not JSON')
  if (!isObject(parsed)) return bad(400, 'the body is not a JSON object')
  if (mode === 'required' && Object.keys(parsed).length === 0) return bad(400, 'the object in the body is empty')
  return { kind: 'object', object: parsed }
}

/** A byte-order mark is kept, so that it fails as JSON. */
function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Deeper documents would overflow the stack of whoever walks them, here and in every member that reads them. */
const NESTING_MAX = 100

function nesting(text: string): number {
  let depth = 0
  let deepest = 0
  for (const [bracket] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/g)) {
    if (bracket === '{' || bracket === '[') deepest = Math.max(deepest, ++depth)
    else if (bracket === '}' || bracket === ']') depth--
  }
  return deepest
}

function bad(status: 400 | 411 | 413, because: string): ParsedBody {
  return { kind: 'bad', status, because }
}
