import { later } from '../../../cluster/time.ts'
import type { Budget } from '../../../ports/clock.ts'
import type { DcsTiming } from '../../../ports/dcs.ts'
import type { Log } from '../../../ports/log.ts'
import { systemClock } from '../../../system/clock.ts'
import { systemRandom } from '../../../system/random.ts'
import type { Store, StoreMode } from '../../store.ts'
import { createEtcd3, parseEtcdOptions } from '../index.ts'

export const TIMING: DcsTiming = { ttlMs: 30_000, loopWaitMs: 10_000, retryTimeoutMs: 3000 }

/** Keeps every line, so that a test can look for what an operator would see. */
export class LogBook implements Log {
  readonly lines: string[] = []
  debug(text: string): void {
    this.lines.push(`debug: ${text}`)
  }
  info(text: string): void {
    this.lines.push(`info: ${text}`)
  }
  warning(text: string): void {
    this.lines.push(`warning: ${text}`)
  }
  error(text: string): void {
    this.lines.push(`error: ${text}`)
  }
  critical(text: string): void {
    this.lines.push(`critical: ${text}`)
  }

  has(part: string): boolean {
    return this.lines.some((line) => line.includes(part))
  }
}

export interface MadeStore {
  readonly store: Store
  readonly log: LogBook
}

export interface StoreWish {
  readonly section: Readonly<Record<string, string | boolean | readonly string[]>>
  readonly name?: string
  readonly prefix?: string
  readonly mode?: StoreMode
  readonly timing?: DcsTiming
}

/** An adapter on the real clock, not started. */
export function makeStore(wish: StoreWish): MadeStore {
  const parsed = parseEtcdOptions(wish.section, 'etcd3')
  if (parsed.kind === 'problems') throw new Error(parsed.problems.map(({ message }) => message).join())
  const log = new LogBook()
  const identity = {
    name: wish.name ?? 'a',
    prefix: wish.prefix ?? '/service/batman/',
    mode: wish.mode ?? 'member',
    timing: wish.timing ?? TIMING,
  }
  const deps = { clock: systemClock, random: systemRandom, log, userAgent: 'test' }
  return { store: createEtcd3(parsed.options, identity, deps), log }
}

export async function startedStore(wish: StoreWish): Promise<MadeStore> {
  const made = makeStore(wish)
  const outcome = await made.store.start(budget(20_000).signal)
  if (outcome.kind !== 'ready') throw new Error(`not started: ${JSON.stringify(outcome)}`)
  return made
}

/** The timer ends by itself and keeps no test waiting. */
export function budget(ms: number): Budget {
  return { deadline: later(systemClock.now(), ms), signal: AbortSignal.timeout(ms) }
}
