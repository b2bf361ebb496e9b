import type { Random } from '../ports/clock.ts'

/** For jitter and shuffling; never for secrets. */
export const systemRandom: Random = { next: () => Math.random() }
