import { after, before, describe } from 'node:test'
import { type EtcdProcess, hasEtcd, startCluster } from '../../../test/support/etcd-process.ts'
import { startedStore, TIMING } from '../../../test/support/etcd-store.ts'
import { budget, systemClock } from '../../../test/support/real.ts'
import { storeContract } from '../contract.ts'

/** etcd grants no lease shorter than one and a half election time-outs, rounded up. */
const TTL_MS = 2000

describe('etcd 3', { skip: hasEtcd() ? false : 'etcd is not installed' }, () => {
  let servers: EtcdProcess[] = []
  before(async () => {
    servers = await startCluster(1)
  })
  after(() => Promise.all(servers.map((server) => server.remove())))

  storeContract('etcd3', async () => ({
    clock: systemClock,
    ttlMs: TTL_MS,
    pass: (ms) => systemClock.sleep(ms, budget(ms + 1000).signal),
    open: async (tree, member) => {
      const made = await startedStore({
        section: { hosts: servers.map(({ clientPort }) => `127.0.0.1:${clientPort}`) },
        name: member,
        prefix: `/service/${tree}/`,
        timing: { ...TIMING, ttlMs: TTL_MS, loopWaitMs: 500 },
      })
      return made.store
    },
  }))
})
