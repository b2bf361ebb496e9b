import type { Instant } from '../../cluster/time.ts'
import type { Budget, Clock } from '../../ports/clock.ts'

/** The earlier of a budget's end and `ms` from now; same signal. */
export function atMost(clock: Clock, budget: Budget, ms: number): Budget {
  return { signal: budget.signal, deadline: Math.min(budget.deadline, clock.now() + ms) as Instant }
}

/** A budget of so many milliseconds from now. Call `done` to free its timer. */
export function withinMs(
  clock: Clock,
  ms: number,
  parent?: AbortSignal,
): { readonly budget: Budget; readonly done: () => void } {
  const deadline = (clock.now() + ms) as Instant
  const time = clock.deadline(deadline, parent)
  return { budget: { deadline, signal: time.signal }, done: time.done }
}
