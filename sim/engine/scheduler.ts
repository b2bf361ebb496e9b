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
  /** Called after each event that let code under test run, when it is quiet again. */
  afterStep: () => void = () => {}
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

  /** Runs all events up to `until`, or until `stop` says so after a step. */
  async run(until: number, stop: () => boolean = () => false): Promise<void> {
    await this.#quiesce()
    for (;;) {
      if (stop()) return
      const next = this.#heap[0]
      if (!next || next.at > until) break
      pop(this.#heap)
      if (next.cancelled) continue
      this.#now = next.at
      this.events++
      next.run()
      await this.#quiesce()
    }
    this.#now = until
  }

  async #quiesce(): Promise<void> {
    if (!this.#touched) return
    this.#touched = false
    this.steps++
    // A macrotask begins only when no microtask is left: that is exact, however long the chains of promises are.
    await new Promise<void>((resolve) => setImmediate(resolve))
    this.afterStep()
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
