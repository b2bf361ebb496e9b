import { later } from '../cluster/time.ts'
import type { Budget, Clock } from '../ports/clock.ts'

/** Runs `work` with a budget of at most `limitMs`; `null`: none but the signal's. */
export async function withBudget<T>(
  clock: Clock,
  limitMs: number | null,
  signal: AbortSignal,
  work: (budget: Budget) => Promise<T>,
): Promise<T> {
  const deadline = later(clock.now(), limitMs ?? Number.POSITIVE_INFINITY)
  const limited = clock.deadline(deadline, signal)
  try {
    return await work({ deadline, signal: limited.signal })
  } finally {
    limited.done()
  }
}
