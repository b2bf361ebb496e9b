import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { budget, freePorts, LogBook, systemClock, systemRandom } from '../../../test/support/real.ts'
import { lockOwner } from '../../cluster/view.ts'
import { RaftNode } from '../../raft/node/node.ts'
import { storeContract } from '../contract.ts'
import type { Store, StoreIdentity } from '../store.ts'
import { type Backend, localKeys } from './backend.ts'
import { createRaft } from './index.ts'
import { RaftStore } from './store.ts'

const TTL_MS = 2500
const TIMING = { ttlMs: TTL_MS, loopWaitMs: 600, retryTimeoutMs: 5000 }
const PORTS = await freePorts(4)
const [NOBODY = '', ...ADDRESSES] = PORTS.map((port) => `127.0.0.1:${port}`)
const PASSWORD = 'only for tests'

/** A store that does not own the member it stands on. */
function shared(node: RaftNode): Backend {
  return { start: async () => ({ kind: 'ready' }), access: node, local: localKeys(node), close: async () => {} }
}

describe('raft', () => {
  const folder = mkdtempSync(join(tmpdir(), 'raft-contract-'))
  const nodes: RaftNode[] = []
  const deps = { clock: systemClock, random: systemRandom, log: new LogBook(), userAgent: 'test' }

  before(async () => {
    for (const [i, selfAddress] of ADDRESSES.entries()) {
      const partners = ADDRESSES.filter((one) => one !== selfAddress)
      const bind = { host: '127.0.0.1', port: PORTS[i + 1] ?? 0 }
      const started = await RaftNode.start(
        { selfAddress, bind, partners, dataDir: folder, password: PASSWORD, tls: null },
        deps,
      )
      assert.equal(started.kind, 'started', JSON.stringify(started))
      if (started.kind === 'started') nodes.push(started.node)
    }
    for (let i = 0; i < 200 && !nodes.every(({ arrival }) => arrival.kind === 'arrived'); i += 1) {
      await systemClock.sleep(50, budget(1000).signal)
    }
    assert.deepEqual(
      nodes.map(({ arrival }) => arrival.kind),
      ['arrived', 'arrived', 'arrived'],
      deps.log.lines.join('\n'),
    )
  })
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop()))
    rmSync(folder, { recursive: true, force: true })
  })

  const identity = (tree: string, name: string, mode: StoreIdentity['mode']): StoreIdentity => ({
    name,
    prefix: `/service/${tree}/`,
    mode,
    timing: TIMING,
  })

  storeContract('raft', async () => ({
    clock: systemClock,
    ttlMs: TTL_MS,
    pass: (ms) => systemClock.sleep(ms, budget(ms + 1000).signal),
    open: async (tree, member) => {
      // Each member of a tree on another node: one of them leads, the others pass on.
      const node = nodes[member.charCodeAt(0) % nodes.length] as RaftNode
      const store = new RaftStore(shared(node), identity(tree, member, 'member'), deps)
      assert.equal((await store.start(budget(5000).signal)).kind, 'ready')
      return store
    },
  }))

  const client = async (partners: readonly string[], password = PASSWORD): Promise<Store> => {
    const bind = { host: null, port: 0 }
    const options = { selfAddress: null, bind, partners, dataDir: '.', password, tls: null }
    return createRaft(options, identity('ctl', 'ctl', 'client'), deps)
  }

  test('raft: a client reads the latest state and writes through any member, and takes no lock', async () => {
    const patient = { ...identity('ctl', 'a', 'member'), timing: { ...TIMING, ttlMs: 60_000 } }
    const a = new RaftStore(shared(nodes[0] as RaftNode), patient, deps)
    await a.start(budget(5000).signal)
    assert.equal((await a.acquire(budget(5000))).kind, 'done')
    for (const address of ADDRESSES) {
      const store = await client([address])
      assert.deepEqual(await store.start(budget(5000).signal), { kind: 'ready' })
      const view = await store.load(budget(5000))
      assert.equal(view.kind === 'done' && lockOwner(view.value), 'a')
      const request = { leader: 'a', candidate: address, scheduledAt: null }
      assert.equal((await store.writeFailover(request, null, budget(5000))).kind, 'done')
      const seen = await a.load(budget(5000))
      assert.equal(seen.kind === 'done' && seen.value.failover?.candidate, address)
      assert.equal((await store.acquire(budget(1000))).kind, 'refused')
      await store.close()
    }
    await a.close()
  })

  test('raft: a client with another password is told so, and one whose members are gone gives up', async () => {
    const wrong = await client([ADDRESSES[0] ?? ''], 'wrong')
    const outcome = await wrong.start(budget(1500).signal)
    assert.equal(outcome.kind, 'stopped')
    await wrong.close()
    const nobody = await client([NOBODY])
    const started = await nobody.start(budget(2500).signal)
    assert.match(JSON.stringify(started), /ECONNREFUSED/)
    await nobody.close()
  })
})
