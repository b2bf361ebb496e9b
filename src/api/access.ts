import { timingSafeEqual } from 'node:crypto'
import type { Credentials } from '../config/types.ts'
import { type ApiResponse, text } from './response.ts'

/** Who is at the other end of the connection. */
export interface Client {
  /** IPv4 clients of a dual-stack socket appear with their IPv4 address. */
  readonly address: string
  /** Whether it presented a certificate that the configured authorities vouch for. */
  readonly hasCertificate: boolean
}

export interface AccessRules {
  /** `null`: nobody is turned away for the address. */
  readonly addresses: { has(address: string): boolean } | null
  readonly needsCertificate: boolean
  readonly credentials: Credentials | null
}

/**
 * Whether a client may use an unsafe endpoint: address, then certificate, then password; the first that fails answers
 * (spec rest-api.md 4).
 * @returns `null` when it may
 */
export function accessDenial(
  client: Client,
  authorization: string | undefined,
  rules: AccessRules,
): ApiResponse | null {
  if (rules.addresses && !rules.addresses.has(client.address)) return text(403, 'Access is denied')
  if (rules.needsCertificate && !client.hasCertificate) return text(403, 'client certificate required')
  if (!rules.credentials) return null
  if (authorization === undefined) return unauthorized('no auth header received')
  return isAuthorized(authorization, rules.credentials) ? null : unauthorized('not authenticated')
}

function unauthorized(why: string): ApiResponse {
  return text(401, why, [['WWW-Authenticate', 'Basic realm="Patroni"']])
}

/** The time it takes tells nothing but the length. */
function isAuthorized(header: string, { username, password }: Credentials): boolean {
  const wanted = Buffer.from(`Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`)
  const given = Buffer.from(header)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}

/** `::ffff:10.0.0.1` is the IPv4 client 10.0.0.1 (spec rest-api.md 21.5). */
export function clientAddress(remote: string | undefined): string {
  if (remote === undefined) return ''
  return remote.toLowerCase().startsWith('::ffff:') && remote.includes('.') ? remote.slice(7) : remote
}
