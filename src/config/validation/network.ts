import { splitHostPort } from '../../cluster/host-port.ts'
import type { Json } from '../../cluster/json.ts'
import { type Check, type Context, type Issue, issue, wrong } from './check.ts'
import { described } from './json-schema.ts'

interface Address {
  readonly hosts: readonly string[]
  readonly port: number
}

/** @returns `null` for what is no `host:port` */
function addressOf(value: string, defaultPort: number | null): Address | null {
  const { host, port } = splitHostPort(value, defaultPort)
  if (port === null || !/^\d+$/.test(port) || Number(port) > 65535) return null
  return { hosts: host.split(',').map((one) => one.trim()), port: Number(port) }
}

const TEXT = { type: 'string' }
const TEXT_OR_LIST = { type: ['array', 'string'], items: TEXT }
const NOT_A_STRING = (value: Json): Issue[] => [issue(value, 'is not a string', 'type')]
const WRONG = 'contains a wrong value'
const UNREACHABLE_FROM_ELSEWHERE = ['127.0.0.1', '0.0.0.0', '*', '::1', 'localhost']

/** An address that other members are told: it must lead here from elsewhere. */
export const address: Check = described((value: Json) => {
  if (typeof value !== 'string') return NOT_A_STRING(value)
  const parsed = addressOf(value, 1)
  if (!parsed) return wrong(value, WRONG)
  if (!parsed.hosts.some((host) => UNREACHABLE_FROM_ELSEWHERE.includes(host))) return []
  return wrong(value, `must not contain ${UNREACHABLE_FROM_ELSEWHERE.map((host) => `"${host}"`).join(', ')}`)
}, TEXT)

/** Somebody must listen there. */
export function reachable(defaultPort: number): Check {
  return described(async (value: Json, { world }: Context) => {
    if (typeof value !== 'string') return NOT_A_STRING(value)
    const parsed = addressOf(value, defaultPort)
    if (!parsed) return wrong(value, WRONG)
    for (const host of parsed.hosts) {
      const outcome = await world.connect(host, parsed.port)
      if (outcome.kind === 'unresolved') return wrong(value, outcome.message)
      if (outcome.kind === 'refused') return wrong(value, `${value} is not reachable`)
    }
    return []
  }, TEXT)
}

/** A comma-separated text or a list, each address reachable. */
export function reachableHosts(defaultPort: number): Check {
  const one = reachable(defaultPort)
  return described(async (value: Json, context: Context) => {
    const parts = typeof value === 'string' ? value.split(',').map((part) => part.trim()) : value
    if (!Array.isArray(parts)) return [issue(value, 'is not a list', 'type')]
    if (parts.length === 0) return [issue(value, 'is an empty list')]
    const found: Issue[] = []
    for (const [i, part] of (parts as readonly Json[]).entries())
      found.push(...(await one(part, context)).map((problem) => ({ ...problem, path: [String(i)] })))
    return found
  }, TEXT_OR_LIST)
}

/** A server of ours will listen there: nobody may do so now. */
export function listen({
  defaultPort = null,
  severalHosts = false,
}: {
  readonly defaultPort?: number | null
  readonly severalHosts?: boolean
}): Check {
  return described(async (value: Json, context: Context) => {
    if (typeof value !== 'string') return NOT_A_STRING(value)
    const parsed = addressOf(value, defaultPort)
    if (!parsed || (!severalHosts && parsed.hosts.length > 1)) return wrong(value, WRONG)
    if (parsed.hosts.length > 1 && parsed.hosts.includes('*')) return wrong(value, "expecting '*' alone")
    return portInUse(value, parsed, context)
  }, TEXT)
}

async function portInUse(
  value: string,
  { hosts, port }: Address,
  { world, ignoreListenPort }: Context,
): Promise<readonly Issue[]> {
  if (ignoreListenPort) return []
  const everywhere = hosts.includes('*') || hosts.includes('')
  for (const host of everywhere ? world.localAddresses() : hosts) {
    const outcome = await world.connect(host, port)
    if (outcome.kind === 'unresolved') return wrong(value, outcome.message)
    if (outcome.kind === 'connected') return wrong(value, `Port ${port} is already in use.`)
  }
  return []
}
