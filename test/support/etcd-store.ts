import { createEtcd3, parseEtcdOptions } from '../../src/dcs/etcd3/index.ts'
import type { Store, StoreMode } from '../../src/dcs/store.ts'
import type { DcsTiming } from '../../src/ports/dcs.ts'
import { budget, LogBook, systemClock, systemRandom } from './real.ts'

export const TIMING: DcsTiming = { ttlMs: 30_000, loopWaitMs: 10_000, retryTimeoutMs: 3000 }

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
