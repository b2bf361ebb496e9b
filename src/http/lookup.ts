import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { promisify } from 'node:util'
import type { Instant } from '../cluster/time.ts'
import { later } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'

/** How host names become addresses; Node's own way where none is given. */
export type Lookup = LookupFunction

/** All addresses of a name, as the system's resolver gives them (hosts file included); throws when there are none. */
export type ResolveAll = (name: string) => Promise<readonly LookupAddress[]>

const GOOD_FOR_MS = 600_000
const BAD_FOR_MS = 30_000

interface Known {
  readonly addresses: readonly LookupAddress[]
  readonly until: Instant
}

/**
 * Remembers addresses for 600 s and failures for 30 s. A remembered answer that has grown old is still served while,
 * and as long as, a new one cannot be had: a name server that is down must not take the store down (spec dcs.md 3.1).
 */
export class NameCache {
  readonly #clock: Clock
  readonly #resolve: ResolveAll
  readonly #known = new Map<string, Known>()
  readonly #failed = new Map<string, { readonly error: unknown; readonly until: Instant }>()
  readonly #asking = new Map<string, Promise<readonly LookupAddress[]>>()

  constructor(clock: Clock, resolve: ResolveAll = systemResolve) {
    this.#clock = clock
    this.#resolve = resolve
  }

  /** @returns at least one address; throws the resolver's error where nothing was ever known */
  async addresses(name: string): Promise<readonly LookupAddress[]> {
    const known = this.#known.get(name)
    const now = this.#clock.now()
    if (known && now < known.until) return known.addresses
    const failed = this.#failed.get(name)
    if (failed && now < failed.until) {
      if (known) return known.addresses
      throw failed.error
    }
    const asked = this.#ask(name)
    if (!known) return asked
    asked.catch(() => {})
    return known.addresses
  }

  /** The next look-up of these names asks again; what is known serves meanwhile only if that fails. */
  expire(names: Iterable<string>): void {
    for (const name of names) {
      const known = this.#known.get(name)
      if (known) this.#known.set(name, { ...known, until: this.#clock.now() })
      this.#failed.delete(name)
    }
  }

  /** For `net.connect` and HTTP agents. */
  readonly lookup: Lookup = (name, options, callback) => {
    this.addresses(name).then(
      (addresses) => {
        const wanted = addresses.filter(({ family }) => !options.family || family === familyNumber(options.family))
        const [first] = wanted
        if (!first) callback(new Error(`no address of the wanted family for ${name}`), '', 0)
        else if (options.all) callback(null, [...wanted])
        else callback(null, first.address, first.family)
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), '', 0),
    )
  }

  #ask(name: string): Promise<readonly LookupAddress[]> {
    const under = this.#asking.get(name)
    if (under) return under
    const asking = this.#resolve(name)
      .then(
        (addresses) => {
          this.#failed.delete(name)
          this.#known.set(name, { addresses, until: later(this.#clock.now(), GOOD_FOR_MS) })
          return addresses
        },
        (error: unknown) => {
          this.#failed.set(name, { error, until: later(this.#clock.now(), BAD_FOR_MS) })
          throw error
        },
      )
      .finally(() => this.#asking.delete(name))
    this.#asking.set(name, asking)
    return asking
  }
}

function familyNumber(family: number | 'IPv4' | 'IPv6'): number {
  if (typeof family === 'number') return family
  return family === 'IPv6' ? 6 : 4
}

const lookupAll = promisify(systemLookup)

const systemResolve: ResolveAll = (name) => lookupAll(name, { all: true, verbatim: true })
