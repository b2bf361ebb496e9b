/** One operation on one register, as a client saw it. `returnedAt` infinite: it may have taken effect, then or ever after. */
export interface Operation {
  readonly kind: 'write' | 'read' | 'compare-and-set'
  readonly invokedAt: number
  returnedAt: number
  /** Write: the value. Read: what was seen. Compare-and-set: what was expected. `null`: no value. */
  value: string | null
  /** Compare-and-set: what was to be put in its place. */
  readonly next: string | null
  /** Compare-and-set: whether it was. `null`: nobody knows. */
  succeeded: boolean | null
}

/** Searches longer than this are given up: the history is too tangled to be judged. */
const STEPS_MAX = 500_000

/**
 * Whether some order of the operations explains all answers, each taking effect between its call and its return (after
 * Wing and Gong, with the states seen remembered as Lowe proposed). The register begins without a value.
 */
export function isLinearizable(history: readonly Operation[]): 'yes' | 'no' | 'unclear' {
  // What nobody saw the answer of, and which is a read, says nothing.
  const operations = history.filter((one) => !(one.kind === 'read' && one.returnedAt === Number.POSITIVE_INFINITY))
  operations.sort((a, b) => a.invokedAt - b.invokedAt)
  const done = operations.map(() => false)
  const seen = new Set<string>()
  let steps = 0

  /** @param first all operations before it are done */
  const search = (first: number, state: string | null): boolean => {
    let from = first
    while (done[from]) from += 1
    let earliestReturn = Number.POSITIVE_INFINITY
    const ahead: number[] = []
    for (let i = from; i < operations.length; i += 1) {
      const { invokedAt, returnedAt } = operations[i] as Operation
      // Later calls return later still.
      if (invokedAt > earliestReturn) break
      if (done[i]) ahead.push(i)
      else earliestReturn = Math.min(earliestReturn, returnedAt)
    }
    // Those that were never answered need not have happened.
    if (earliestReturn === Number.POSITIVE_INFINITY) return true
    const key = `${from}|${ahead.join(',')}|${state}`
    if (seen.has(key)) return false
    seen.add(key)
    for (let i = from; i < operations.length; i += 1) {
      const operation = operations[i] as Operation
      if (operation.invokedAt > earliestReturn) break
      const after = done[i] ? undefined : effect(operation, state)
      if (after === undefined) continue
      steps += 1
      if (steps > STEPS_MAX) throw new TooLong()
      done[i] = true
      if (search(from, after)) return true
      done[i] = false
    }
    return false
  }
  try {
    return search(0, null) ? 'yes' : 'no'
  } catch (error) {
    if (error instanceof TooLong) return 'unclear'
    throw error
  }
}

class TooLong extends Error {}

/** @returns the state afterwards; `undefined`: the answer cannot have been given in this state */
function effect({ kind, value, next, succeeded }: Operation, state: string | null): string | null | undefined {
  switch (kind) {
    case 'write':
      return value
    case 'read':
      return state === value ? state : undefined
    case 'compare-and-set': {
      const holds = state === value
      if (succeeded !== null && holds !== succeeded) return undefined
      return holds ? next : state
    }
  }
}
