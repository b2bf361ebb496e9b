import { type Change, keyOf } from './cache.ts'

/**
 * Writes of ours that are under way. The watch may report one before its answer arrives; it is no news then.
 */
export class OwnWrites {
  readonly #expected = new Map<string, Set<Expected>>()

  /** @param value `null`: the key is being deleted. @returns to be called when the answer is there */
  begin(key: string, value: string | null): () => void {
    const expected = this.#expected.get(key) ?? new Set()
    const write: Expected = { value }
    expected.add(write)
    this.#expected.set(key, expected)
    return () => {
      expected.delete(write)
      if (expected.size === 0) this.#expected.delete(key)
    }
  }

  explains(change: Change): boolean {
    const value = change.kind === 'put' ? change.kv.value : null
    return [...(this.#expected.get(keyOf(change)) ?? [])].some((write) => write.value === value)
  }
}

interface Expected {
  readonly value: string | null
}
