import assert from 'node:assert/strict'
import { chmodSync } from 'node:fs'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { ctl } from '../../lab/ctl.ts'
import { until } from '../../lab/wait.ts'
import { Writer } from '../../lab/writer.ts'
import { Authority, type Certificate } from '../support/certificates.ts'
import { assertNothingLost } from '../support/looks.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 2, retryTimeout: 3 }
const LIMIT_MS = 60_000

let cluster: Cluster
let ours: Authority
let strangers: Authority
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

/** Readable for the user of the servers: these keys protect nothing. */
function readable(
  { certfile, keyfile }: Certificate,
  authority: Authority,
): { cacert: string; cert: string; key: string } {
  chmodSync(authority.dir, 0o755)
  for (const file of [certfile, keyfile, authority.own.certfile]) chmodSync(file, 0o644)
  return { cacert: authority.own.certfile, cert: certfile, key: keyfile }
}

before(async () => {
  ours = new Authority()
  strangers = new Authority()
  cluster = await Cluster.create({
    checkout: process.cwd(),
    scope: 'tls',
    members: ['n1', 'n2', 'n3'],
    timing: TIMING,
    store: 'raft',
    raftTls: readable(ours.signed('member'), ours),
    purpose: 'raft-tls',
  })
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(async () => {
  await cluster?.destroy()
  ours?.remove()
  strangers?.remove()
})

told(
  'dcs 3.8 a cluster whose members know each other by certificates is switched over, by ctl, which needs one too',
  async () => {
    const leader = await cluster.healthy(LIMIT_MS)
    const writer = await Writer.start(cluster)
    const to = cluster.members.find((member) => member !== leader)
    assert.ok(to)
    const moved = await ctl(cluster, [
      'switchover',
      cluster.scope,
      '--leader',
      leader.name,
      '--candidate',
      to.name,
      '--force',
    ])
    assert.equal(moved.code, 0, moved.stdout + moved.stderr)
    assert.equal(await cluster.healthy(LIMIT_MS), to)
    await writer.stop()
    assertNothingLost(await writer.account())
    const status = await ctl(cluster, ['raft', 'status'])
    assert.equal(status.code, 0, status.stderr)
  },
)

told('dcs 3.8 a member with the certificate of another authority is not let in, and says why', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const other = cluster.members.find((member) => member !== leader)
  assert.ok(other)
  await other.stop(LIMIT_MS)
  const { raft } = other.config as { raft: Record<string, unknown> }
  const before = { ...raft }
  Object.assign(raft, readable(strangers.signed('stranger'), strangers))
  const from = other.logSize()
  await other.start()
  await until('it says why', LIMIT_MS, () => /certificate/.test(other.logSince(from)))
  assert.equal((await leader.report())?.role, 'primary')
  await other.killHost()
  Object.assign(raft, before)
  await other.start()
  assert.equal(await cluster.healthy(LIMIT_MS), leader)
})
