import { drainMicrotasks } from './drain.ts'

/** A planned event. `cancelled` events are passed over when their time comes. */
export interface Timer {
  readonly at: number
  cancelled: boolean
}

interface Entry extends Timer {
  readonly order: number
  readonly run: () => void
}

/**
 * Virtual time: a queue of events in milliseconds since the world began. Events of one moment run in the order in
 * which they were planned. After an event that let code under test go on, all promises are run to quiescence before
 * the next event: with this, one seed always gives one history.
 */
export class Scheduler {
  #now = 0
  #order = 0
  readonly #heap: Entry[] = []
  #touched = false
  /** Events run so far, and how many of them woke code under test. */
  events = 0
  steps = 0

  get now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): Timer {
    return this.at(this.#now + Math.max(0, ms), run)
  }

  at(time: number, run: () => void): Timer {
    const entry: Entry = { at: Math.max(time, this.#now), cancelled: false, order: this.#order++, run }
    push(this.#heap, entry)
    return entry
  }

  /** To be called whenever a promise of the code under test was settled. */
  touch(): void {
    this.#touched = true
  }

  /** Runs all events up to `until`, or until `stop` says so after an event. */
  run(until: number, stop: () => boolean): Promise<void> {
    const drain = drainMicrotasks
    return drain ? this.#runAtOnce(until, stop, drain) : this.#runByTurns(until, stop)
  }

  #runAtOnce(until: number, stop: () => boolean, drain: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      // In a macrotask of its own: from within a promise reaction nothing can be drained.
      setImmediate(() => {
        try {
          while (!stop() && this.#runNext(until)) if (this.#takeTouched()) drain()
          resolve()
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  /** A macrotask begins only when no microtask is left: that is exact too, however long the chains of promises are. */
  async #runByTurns(until: number, stop: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (!stop() && this.#runNext(until))
      if (this.#takeTouched()) await new Promise<void>((resolve) => setImmediate(resolve))
  }

  /** @returns false when nothing is left before `until` */
  #runNext(until: number): boolean {
    for (;;) {
      const next = this.#heap[0]
      if (!next || next.at > until) {
        this.#now = until
        return false
      }
      pop(this.#heap)
      if (next.cancelled) continue
      this.#now = next.at
      this.events++
      next.run()
      return true
    }
  }

  #takeTouched(): boolean {
    if (!this.#touched) return false
    this.#touched = false
    this.steps++
    return true
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Entry[], entry: Entry): void {
  let i = heap.push(entry) - 1
  while (i > 0) {
    const parent = (i - 1) >> 1
    if (!before(entry, heap[parent] as Entry)) break
    heap[i] = heap[parent] as Entry
    i = parent
  }
  heap[i] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let i = 0
  for (;;) {
    let child = 2 * i + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++
    if (!before(heap[child] as Entry, last)) break
    heap[i] = heap[child] as Entry
    i = child
  }
  heap[i] = last
}
