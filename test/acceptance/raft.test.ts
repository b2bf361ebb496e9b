import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { ctl } from '../../lab/ctl.ts'
import { isLostTail, reigns } from '../../lab/ledger.ts'
import { assertLeads, assertNoBug } from '../support/looks.ts'
import { story, withLogs } from '../support/story.ts'
import { backElsewhere, whileWriting } from '../support/writing.ts'

const TIMING = { ttl: 10, loopWait: 2, retryTimeout: 3 }
const LIMIT_MS = 60_000
/** What may pass between the end of the lease and the first write. */
const AFTER_LEASE_MS = 2000
const ASYNC_WINDOW_MS = 500
const ROUNDS = 3

let cluster: Cluster
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    scope: 'raft',
    members: ['n1', 'n2', 'n3'],
    timing: TIMING,
    store: 'raft',
    purpose: 'raft',
  })
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(() => cluster?.destroy())

for (let round = 1; round <= ROUNDS; round += 1) {
  told(
    `dcs 3.8 the primary is lost, which also leads the Raft group: writes are back within the lease and 2 s (${round})`,
    async () => {
      const leader = await cluster.healthy(LIMIT_MS)
      await cluster.store.leadFrom(leader.config)
      const { writer, gap, since } = await whileWriting(
        cluster,
        () => leader.killHost(),
        backElsewhere(leader.name, LIMIT_MS),
      )
      assert.ok(gap.ms < TIMING.ttl * 1000 + AFTER_LEASE_MS, `writes stopped for ${Math.round(gap.ms)} ms`)
      await leader.start()
      const next = await cluster.healthy(LIMIT_MS)
      assert.deepEqual(reigns(writer.acknowledged, 0), [leader.name, next.name])
      const account = await writer.account()
      assert.ok(isLostTail(account, writer.acknowledged, { node: leader.name, at: since, windowMs: ASYNC_WINDOW_MS }))
      await assertLeads(cluster, next)
    },
  )
}

told('the primary is not bothered by who leads the Raft group', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const { writer, gap } = await whileWriting(
    cluster,
    async () => {
      for (const member of cluster.members) {
        const { self_addr: address } = member.config['raft'] as { self_addr: string }
        const moved = await ctl(cluster, ['raft', 'transfer', address])
        assert.equal(moved.code, 0, moved.stderr)
        const { stdout } = await ctl(cluster, ['raft', 'status'])
        assert.match(stdout, new RegExp(`${address} +\\| Leader +\\| connected`))
      }
    },
    async () => undefined,
  )
  assert.ok(gap.ms < 1000, `writes stopped for ${Math.round(gap.ms)} ms`)
  assert.deepEqual(reigns(writer.acknowledged, 0), [leader.name])
  await assertLeads(cluster, leader)
})

told('nothing that happened here was a bug of an agent', async () => assertNoBug(cluster))
