import type { Replica } from '../../src/raft/replica/replica.ts'
import { Violation } from './checks.ts'

/** Follows the keys of one member by what it tells of changes, as a store does that sits on it. */
export class Watcher {
  readonly #replica: Replica
  /** Version by key. */
  #keys = new Map<string, number>()

  constructor(replica: Replica) {
    this.#replica = replica
    this.#readAll()
    replica.onChange((changes) => {
      if (changes === null) this.#readAll()
      for (const { key, after } of changes ?? []) {
        if (after) this.#keys.set(key, after.version)
        else this.#keys.delete(key)
      }
    })
  }

  compare(): void {
    const present = this.#replica.kvs.withPrefix('')
    const missed = present.find(({ key, version }) => this.#keys.get(key) !== version)
    if (missed || present.length !== this.#keys.size) {
      throw new Violation('watches', `a change of ${missed?.key ?? 'a key that is gone'} was not told`)
    }
  }

  #readAll(): void {
    this.#keys = new Map(this.#replica.kvs.withPrefix('').map(({ key, version }) => [key, version]))
  }
}
