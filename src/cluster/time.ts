import type { Brand } from './brand.ts'

/** A moment on the monotonic clock of one process, in milliseconds. Only differences mean anything. */
export type Instant = Brand<number, 'Instant'>

export const LONG_AGO = Number.NEGATIVE_INFINITY as Instant

export function later(from: Instant, byMs: number): Instant {
  return (from + byMs) as Instant
}

export function elapsedMs(from: Instant, to: Instant): number {
  return to - from
}
