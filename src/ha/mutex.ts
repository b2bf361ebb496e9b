/** Lets one at a time through, in order of arrival. A whole cycle runs under it, and whatever touches the lock outside a cycle. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work)
    this.#last = mine.catch(() => undefined)
    return mine
  }

  /**
   * For an action beside the loop: a cycle may wait, under this mutex, for the end of the very action that it cancels.
   * @returns whether its turn came before `signal` aborted; if not, `work` never begins
   */
  runUnlessAborted(work: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const leave = (): void => resolve(false)
      if (signal.aborted) return leave()
      signal.addEventListener('abort', leave, { once: true })
      const turn = async (): Promise<void> => {
        signal.removeEventListener('abort', leave)
        if (signal.aborted) return
        await work()
        resolve(true)
      }
      this.run(turn).catch(reject)
    })
  }
}
