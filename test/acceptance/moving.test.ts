import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { ctl } from '../../lab/ctl.ts'
import { longestGap, reigns } from '../../lab/ledger.ts'
import type { Member } from '../../lab/member.ts'
import { type Program, startProgram } from '../../lab/processes.ts'
import { serverUser } from '../../lab/server-user.ts'
import { sleep, until } from '../../lab/wait.ts'
import { Writer } from '../../lab/writer.ts'
import { assertLeads, assertNoBug, assertNothingLost, timeline } from '../support/looks.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const LIMIT_MS = 60_000

let cluster: Cluster
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    scope: 'moving',
    members: ['n1', 'n2', 'n3'],
    timing: TIMING,
    store: 'raft',
    purpose: 'moving',
  })
  try {
    await cluster.bootstrap(LIMIT_MS)
    await command('edit-config', '--force', '--set', 'postgresql.parameters.work_mem=5MB')
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(() => cluster?.destroy())

// The steps are those of docs/raft.md, "Moving a running cluster".

told('a running cluster moves from Raft to etcd, and its servers and clients do not notice', () =>
  moved(async (primary) => {
    await cluster.changeStore('etcd3')
    await primary.start()
    await leads(primary)
    for (const member of others(primary)) await member.start()
  }),
)

told('a running cluster moves from etcd to Raft, and its servers and clients do not notice', () =>
  moved(async (primary) => {
    await cluster.changeStore('raft')
    const controllers = new Map<Member, Program>()
    for (const member of others(primary)) controllers.set(member, await controllerInPlaceOf(member))
    await primary.start()
    await leads(primary)
    for (const [member, controller] of controllers) {
      controller.signal('SIGTERM')
      assert.deepEqual(await controller.ended, { code: 0, signal: null })
      await member.start()
      await until(`${member.name} is there`, LIMIT_MS, async () => (await member.report())?.state === 'running')
    }
    const { stdout } = await command('raft', 'status')
    assert.equal(stdout.match(/ connected/g)?.length, 3, stdout)
  }),
)

told('nothing that happened here was a bug of an agent', async () => assertNoBug(cluster))

/** Everything before and after the change of the files. */
async function moved(change: (primary: Member) => Promise<void>): Promise<void> {
  const primary = await cluster.healthy(LIMIT_MS)
  const before = { servers: postmasters(), timeline: await timeline(primary) }
  const writer = await Writer.start(cluster)
  try {
    await sleep(500)
    const since = performance.now()
    await command('pause', '--wait', cluster.scope)
    const { stdout: dynamic } = await command('show-config')
    for (const member of others(primary)) assert.equal((await member.stop(LIMIT_MS))?.code, 0)
    // Who does this by hand takes his time: without its store and in pause a primary goes on.
    await sleep((TIMING.ttl + 3) * 1000)
    assert.equal((await primary.stop(LIMIT_MS))?.code, 0)
    await change(primary)
    // The primary writes it in the cycle after the one that took the lock.
    const kept = async (): Promise<string | null> => (await command('show-config')).stdout || null
    assert.equal(await until('the new store has the configuration', LIMIT_MS, kept), dynamic)
    await command('resume', '--wait', cluster.scope)
    assert.equal(await cluster.healthy(LIMIT_MS), primary)
    await assertLeads(cluster, primary)
    await sleep((TIMING.loopWait + 2) * 1000)
    await writer.stop()
    const gap = longestGap(writer.acknowledged, since)
    assert.ok(gap.ms < 2000, `writes stopped for ${Math.round(gap.ms)} ms`)
    assert.deepEqual(reigns(writer.acknowledged, 0), [primary.name])
    assert.deepEqual({ servers: postmasters(), timeline: await timeline(primary) }, before)
    const [row] = await primary.sql('SHOW work_mem')
    assert.equal(row?.['work_mem'], '5MB')
    assertNothingLost(await writer.account())
  } finally {
    await writer.stop()
  }
}

async function command(...words: readonly string[]): Promise<{ readonly stdout: string }> {
  const result = await ctl(cluster, words)
  assert.equal(result.code, 0, `${words.join(' ')}: ${result.stdout}${result.stderr}`)
  return result
}

function others(primary: Member): readonly Member[] {
  return cluster.members.filter((member) => member !== primary)
}

function postmasters(): readonly (number | null)[] {
  return cluster.members.map((member) => member.postmasterPid())
}

async function leads(primary: Member): Promise<void> {
  await until(`${primary.name} is listed as the leader`, LIMIT_MS, async () => {
    const { stdout } = await ctl(cluster, ['list'])
    return new RegExp(`\\| ${primary.name} +\\|[^|]+\\| Leader +\\| running`).test(stdout)
  })
}

/** Its vote without its agent. */
function controllerInPlaceOf(member: Member): Promise<Program> {
  member.writeConfig()
  const argv = [cluster.programs.agent, 'raft-controller', member.configFile]
  const logFile = join(member.folder, 'controller.log')
  const env = { MATRIARCH_NODE: cluster.programs.node }
  return startProgram(argv, { logFile, cwd: member.folder, user: serverUser(), env })
}
