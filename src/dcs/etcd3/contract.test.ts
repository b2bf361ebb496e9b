import { after } from 'node:test'
import { startedStore, TIMING } from '../../../test/support/etcd-store.ts'
import { FakeEtcd } from '../../../test/support/fake-etcd.ts'
import { budget, systemClock } from '../../../test/support/real.ts'
import { storeContract } from '../contract.ts'

/** Against the pretended servers of the other tests: what those show holds only as far as they behave like etcd. */
const servers: FakeEtcd[] = []
after(() => Promise.all(servers.map((server) => server.close())))

storeContract('etcd3 on pretended servers', async () => {
  const etcd = await FakeEtcd.start(1)
  // Documents arrive in pieces, as they may.
  etcd.pieceBytes = 7
  servers.push(etcd)
  return {
    clock: systemClock,
    ttlMs: 1000,
    pass: (ms) => systemClock.sleep(ms, budget(ms + 1000).signal),
    open: async (tree, member) => {
      const timing = { ...TIMING, ttlMs: 1000, loopWaitMs: 300 }
      const made = await startedStore({
        section: { hosts: etcd.hosts },
        name: member,
        prefix: `/service/${tree}/`,
        timing,
      })
      return made.store
    },
  }
})
