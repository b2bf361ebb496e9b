import { after } from 'node:test'
import type { Clock } from '../../src/ports/clock.ts'
import { storeContract } from '../../test/support/store-contract.ts'
import { HostClock, ProcessClock } from '../engine/clock.ts'
import { Process } from '../engine/process.ts'
import { Rng } from '../engine/random.ts'
import { Scheduler } from '../engine/scheduler.ts'
import { Network } from '../net/network.ts'
import { SimDcs } from './dcs.ts'
import { StoreService, type StoreStyle } from './service.ts'

/** The virtual store must be one that the real adapters could stand in for: what it allows, members rely on. */
const STYLES: Readonly<Record<string, StoreStyle>> = {
  'virtual store, shared sessions': { sessions: 'shared', tellsAll: true, watchDelayMs: 5 },
  'virtual store, a life per key': { sessions: 'per-key', tellsAll: true, watchDelayMs: 5 },
}

for (const [name, style] of Object.entries(STYLES)) {
  storeContract(name, async () => {
    const scheduler = new Scheduler()
    const rng = new Rng(name)
    const network = new Network(scheduler, rng.fork('network'))
    const clocks = { host: new HostClock(scheduler, 0, -1000), observer: new Process(scheduler, { wakesCode: true }) }
    const clock: Clock = new ProcessClock(clocks.host, clocks.observer)
    const stores = new Map<string, StoreService>()
    keepTimeGoing(scheduler)
    return {
      clock,
      ttlMs: 20_000,
      pass: (ms) => clock.sleep(ms, new AbortController().signal),
      open: async (tree, member) => {
        const store = stores.get(tree) ?? new StoreService(scheduler, network, rng.fork(tree), style)
        stores.set(tree, store)
        const dcs = new SimDcs(member, `${member}#1`, store, new Process(scheduler, { wakesCode: true }), clocks.host)
        dcs.configure({ ttlMs: 20_000, loopWaitMs: 10_000, retryTimeoutMs: 10_000 })
        return dcs
      },
    }
  })
}

/** The rules of the contract just wait; virtual time passes meanwhile, a little with each turn of the event loop. */
function keepTimeGoing(scheduler: Scheduler): void {
  const end = new AbortController()
  const turn = async (): Promise<void> => {
    while (!end.signal.aborted) await scheduler.run(scheduler.now + 1, () => false)
  }
  void turn()
  after(() => end.abort())
}
