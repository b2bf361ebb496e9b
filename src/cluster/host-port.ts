/** An address list and a port as operators write them: `host1,host2:5432`, `[::1]:5432`, `host`. */
export interface HostPort {
  /** Comma-separated where there are several; without brackets. */
  readonly host: string
  /** As written; `null` where there is none and no default was given. */
  readonly port: string | null
}

/** Splits once at the last colon; what is left of it may be a list with IPv6 addresses (spec configuration.md 1.5). */
export function splitHostPort(text: string, defaultPort: number | null): HostPort {
  const colon = text.lastIndexOf(':')
  if (colon < 0) return { host: text, port: defaultPort === null ? null : String(defaultPort) }
  const left = text.slice(0, colon)
  const host = left.includes(':') ? left.split(',').map(withoutBrackets).join(',') : left
  return { host, port: text.slice(colon + 1) }
}

function withoutBrackets(address: string): string {
  return address.trim().replace(/^\[|\]$/g, '')
}

/** The opposite: brackets around an IPv6 address, the port left out where there is none (spec configuration.md 1.5). */
export function joinHostPort(host: string, port: string | null): string {
  const shown = host.includes(':') ? `[${host}]` : host
  return port === null || port === '0' ? shown : `${shown}:${port}`
}
