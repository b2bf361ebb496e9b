import { getHeapStatistics } from 'node:v8'

/**
 * Garbage that may lie about. Collecting costs some 20 ms, an agent at rest makes this much in about a quarter of an hour; with
 * 6 MB one of three agents had, once in two hours, more than 45 MB (PSS).
 */
const GARBAGE_BYTES = 4 * 1024 * 1024
const LOOK_MS = 60_000

export interface Heap {
  /** Bytes taken by objects, dead ones included. */
  usedBytes(): number
  /** Frees all that is dead. */
  collect(): void
}

/** V8 lets the garbage of a program at rest heap up to the size that it had at its start and more; these looks end that. */
export class GarbageWatch {
  readonly #heap: Heap
  #leastBytes: number

  constructor(heap: Heap) {
    this.#heap = heap
    this.#leastBytes = heap.usedBytes()
  }

  look(): void {
    const used = this.#heap.usedBytes()
    if (used - this.#leastBytes < GARBAGE_BYTES) {
      this.#leastBytes = Math.min(this.#leastBytes, used)
      return
    }
    this.#heap.collect()
    this.#leastBytes = this.#heap.usedBytes()
  }
}

/** Looks every minute from now on; without the option `--expose-gc`, with which `bin/matriarch` starts Node, never. */
export function keepHeapSmall(): void {
  const collect = (globalThis as { gc?: () => void }).gc
  if (!collect) return
  const watch = new GarbageWatch({ usedBytes: () => getHeapStatistics().used_heap_size, collect: () => collect() })
  setInterval(() => watch.look(), LOOK_MS).unref()
}
