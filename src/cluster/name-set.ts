/**
 * A set of member names that compare without regard to case, as PostgreSQL compares application names. Immutable;
 * each name keeps the spelling it came with first.
 */
export class NameSet {
  readonly #names: ReadonlyMap<string, string>

  constructor(names: Iterable<string> = []) {
    const map = new Map<string, string>()
    for (const name of names) if (!map.has(name.toLowerCase())) map.set(name.toLowerCase(), name)
    this.#names = map
  }

  get size(): number {
    return this.#names.size
  }

  has(name: string): boolean {
    return this.#names.has(name.toLowerCase())
  }

  /** Sorted, so that what is written and logged does not depend on the way it was found. */
  names(): string[] {
    return [...this.#names.values()].sort()
  }

  /** For messages: `b,c`. */
  print(): string {
    return this.names().join(',')
  }

  with(...more: readonly Iterable<string>[]): NameSet {
    return new NameSet([...this.#names.values(), ...more.flatMap((names) => [...names])])
  }

  without(names: NameSet | readonly string[]): NameSet {
    const gone = names instanceof NameSet ? names : new NameSet(names)
    return new NameSet([...this.#names.values()].filter((name) => !gone.has(name)))
  }

  and(other: NameSet): NameSet {
    return new NameSet([...this.#names.values()].filter((name) => other.has(name)))
  }

  or(other: NameSet): NameSet {
    return this.with(other.names())
  }

  includes(other: NameSet): boolean {
    return other.names().every((name) => this.has(name))
  }

  equals(other: NameSet): boolean {
    return this.size === other.size && this.includes(other)
  }
}
