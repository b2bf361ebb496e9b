import { type ApiRequest, NO_BODY, parseTarget } from './request.ts'
import { findRoute, type Route } from './routes.ts'

/** A health check that came as a whole, with nothing in it that changes how it is answered. */
export interface Check {
  readonly request: ApiRequest
  readonly handler: Route['handler']
}

/** Whoever checks sends the same bytes for ever; longer ones are nobody's health checks. */
const HEAD_LENGTH_MAX = 1_024
const KEPT_MAX = 100
const kept = new Map<string, Check | null>()

const REQUEST = /^(GET|HEAD|OPTIONS) (\/[\x21-\x7e]*) HTTP\/1\.1\r\n((?:[A-Za-z-]+: [\t\x20-\x7e]*\r\n)*)\r\n$/
/** Headers that change nothing; whoever sends any other one is answered by those who know what it means. */
const PLAIN =
  /^(?:host|accept|accept-encoding|accept-language|cache-control): |^connection: keep-alive$|^user-agent: (?!patroni\/)/i

/** @param head what has arrived on a connection; @returns `null`: something else, or not all of it */
export function recognizeCheck(head: string): Check | null {
  const known = kept.get(head)
  if (known !== undefined) return known
  if (head.length > HEAD_LENGTH_MAX) return null
  const check = checkOf(head)
  if (kept.size >= KEPT_MAX) kept.clear()
  kept.set(head, check)
  return check
}

function checkOf(head: string): Check | null {
  const [, method = '', url = '', headers = ''] = REQUEST.exec(head) ?? []
  if (method === '' || !headers.split('\r\n').every((line) => line === '' || PLAIN.test(line))) return null
  const target = parseTarget(url)
  const route = findRoute(method, target.segment)
  return route?.isCheck ? { request: { method, ...target, body: NO_BODY }, handler: route.handler } : null
}
