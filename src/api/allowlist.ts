import { BlockList, isIP } from 'node:net'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'

/** A name server that does not answer must not hold up the request. */
const LOOKUP_LIMIT_MS = 2_000

/** Looks names up and remembers what it found; `NameCache` of room http is one. */
export interface Names {
  addresses(name: string): Promise<readonly { readonly address: string }[]>
}

/** One entry of `allowlist`, or a host out of a member's URL, understood. */
type Entry =
  | { readonly kind: 'network'; readonly address: string; readonly bits: number }
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'invalid' }

export function parseEntry(text: string): Entry {
  const entry = text.trim().replace(/^\[|\]$/g, '')
  const slash = entry.indexOf('/')
  if (slash < 0)
    return isIP(entry) ? { kind: 'address', address: entry } : entry ? { kind: 'name', name: entry } : INVALID
  const address = entry.slice(0, slash)
  const bits = /^\d{1,3}$/.test(entry.slice(slash + 1)) ? Number(entry.slice(slash + 1)) : Number.NaN
  const family = isIP(address)
  return family !== 0 && bits <= (family === 4 ? 32 : 128) ? { kind: 'network', address, bits } : INVALID
}

const INVALID: Entry = { kind: 'invalid' }

/** Which addresses may use unsafe endpoints: networks, addresses and names, the latter looked up now and again. */
export class Allowlist {
  readonly #names: Names
  readonly #clock: Clock
  readonly #log: Log
  #entries: readonly Entry[] = []

  constructor(names: Names, clock: Clock, log: Log) {
    this.#names = names
    this.#clock = clock
    this.#log = log
  }

  /** Takes the new list and looks its names up, to say at once which of them are wrong. */
  async configure(list: readonly string[]): Promise<void> {
    this.#entries = list.map(parseEntry)
    for (const [i, entry] of this.#entries.entries()) {
      if (entry.kind === 'invalid') this.#log.error(`Invalid value "${list[i]}" in the allowlist`)
    }
    const names = this.#entries.flatMap((entry) => (entry.kind === 'name' ? [entry.name] : []))
    const found = await Promise.all(names.map((name) => this.#addressesOf(name)))
    for (const [i, addresses] of found.entries())
      if (addresses.length === 0) this.#log.error(`Failed to resolve ${names[i]}`)
  }

  /** A configured list whose entries are all useless lets nobody in, rather than everybody (spec rest-api.md 21.6). */
  get isConfigured(): boolean {
    return this.#entries.length > 0
  }

  /** @param memberHosts hosts of members' URLs that are let in as well */
  async allowed(memberHosts: readonly string[]): Promise<{ has(address: string): boolean }> {
    const list = new BlockList()
    const names: string[] = []
    for (const entry of [...this.#entries, ...memberHosts.map(parseEntry)]) {
      if (entry.kind === 'network') list.addSubnet(entry.address, entry.bits, family(entry.address))
      else if (entry.kind === 'address') list.addAddress(entry.address, family(entry.address))
      else if (entry.kind === 'name') names.push(entry.name)
    }
    const resolved = await Promise.all(names.map((name) => this.#addressesOf(name)))
    for (const address of resolved.flat()) if (isIP(address)) list.addAddress(address, family(address))
    return { has: (address) => isIP(address) !== 0 && list.check(address, family(address)) }
  }

  /** Empty where the name is not known. */
  async #addressesOf(name: string): Promise<readonly string[]> {
    const limit = new AbortController()
    try {
      return await Promise.race([
        this.#names.addresses(name).then(
          (found) => found.map(({ address }) => address),
          () => [],
        ),
        this.#clock.sleep(LOOKUP_LIMIT_MS, limit.signal).then(() => []),
      ])
    } finally {
      limit.abort()
    }
  }
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}

/** The host of a REST URL, without brackets; `null` where the text is no URL. */
export function hostOf(url: string): string | null {
  try {
    return new URL(url).hostname.replace(/^\[|\]$/g, '') || null
  } catch {
    return null
  }
}
