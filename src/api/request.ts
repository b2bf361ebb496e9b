/** A request as handlers see it: parsed, with no socket behind it. */
export interface ApiRequest {
  readonly method: string
  /** Not percent-decoded; always begins with one slash. */
  readonly path: string
  /** The first component of the path; empty for `/`. It alone decides about the handler (spec rest-api.md 2.3). */
  readonly segment: string
  /** Decoded parameters; of a repeated one the first, and none that are empty. */
  readonly query: ReadonlyMap<string, string>
  readonly body: RequestBody
}

/** What came after the head. `none`: neither a length nor chunks were announced. */
export type RequestBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'too-large' }

export const NO_BODY: RequestBody = { kind: 'none' }

export type Target = Pick<ApiRequest, 'path' | 'segment' | 'query'>

const NO_QUERY: ReadonlyMap<string, string> = new Map()

/** Checks ask for the same few targets again and again. */
const KEPT_TARGETS_MAX = 100
const KEPT_LENGTH_MAX = 200
const kept = new Map<string, Target>()

/** As `parseTarget`, remembering what was asked for lately. */
export function knownTarget(target: string): Target {
  const known = kept.get(target)
  if (known) return known
  const parsed = parseTarget(target)
  if (target.length <= KEPT_LENGTH_MAX) {
    if (kept.size >= KEPT_TARGETS_MAX) kept.clear()
    kept.set(target, parsed)
  }
  return parsed
}

/**
 * Splits the target of a request line: absolute forms lose scheme and authority, leading slashes collapse to one, the
 * query is cut at `&` only (spec rest-api.md 2.2).
 */
export function parseTarget(target: string): Target {
  const local = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.test(target) ? target.replace(/^[^:]*:\/\/[^/?#]*/, '') : target
  const hash = local.indexOf('#')
  const withoutFragment = hash < 0 ? local : local.slice(0, hash)
  const mark = withoutFragment.indexOf('?')
  const path = `/${(mark < 0 ? withoutFragment : withoutFragment.slice(0, mark)).replace(/^\/+/, '')}`
  const slash = path.indexOf('/', 1)
  return {
    path,
    segment: slash < 0 ? path.slice(1) : path.slice(1, slash),
    query: mark < 0 ? NO_QUERY : parseQuery(withoutFragment.slice(mark + 1)),
  }
}

function parseQuery(text: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>()
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=')
    if (equals < 0) continue
    const name = decode(pair.slice(0, equals))
    const value = decode(pair.slice(equals + 1))
    if (value !== '' && !query.has(name)) query.set(name, value)
  }
  return query
}

/** Percent- and plus-decoding; bytes that are not UTF-8 become replacement characters instead of an error. */
function decode(text: string): string {
  const spaced = text.replaceAll('+', ' ')
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    const bytes = spaced.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    )
    return Buffer.from(bytes, 'latin1').toString('utf8')
  }
}
