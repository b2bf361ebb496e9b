/** Lets one at a time through, in order of arrival. A whole cycle runs under it, and whatever touches the lock outside a cycle. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work)
    this.#last = mine.catch(() => undefined)
    return mine
  }
}
