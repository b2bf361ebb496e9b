import assert from 'node:assert/strict'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { ctl } from '../../lab/ctl.ts'
import type { Member } from '../../lab/member.ts'
import { giveTo, serverUser } from '../../lab/server-user.ts'
import { sleep, until } from '../../lab/wait.ts'
import { assertLeads, assertNoBug } from '../support/looks.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const LIMIT_MS = 60_000

let cluster: Cluster
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

/** What stands in for the device of a member. */
const device = (member: Member): string => join(cluster.folder, `${member.name}.watchdog`)
const heard = (member: Member): string => readFileSync(device(member), 'latin1')

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope: 'watchdog',
    members: ['n1', 'n2'],
    timing: TIMING,
    purpose: 'watchdog',
  })
  for (const member of cluster.members) {
    writeFileSync(device(member), '')
    giveTo(serverUser(), device(member))
    member.config['watchdog'] = { mode: 'required', driver: 'testing', device: device(member) }
  }
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(() => cluster?.destroy())

told('19 the primary feeds its watchdog at each renewal, the replica leaves its own alone', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  await until('it was fed', LIMIT_MS, () => /^Ctimeout=15\n1{2,}$/.test(heard(leader)))
  assert.equal(heard(other(leader)), '')
  await until('it is told', LIMIT_MS, () =>
    /INFO: .*activated with 15 second timeout, timing slack 14 seconds/.test(leader.logSince()),
  )
  assert.doesNotMatch(leader.logSince(), /Lease guard started/, 'the lease guard stands aside')
})

told('19 another ttl is another timeout, at the next renewal', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  assert.equal((await leader.rest('PATCH', '/config', { ttl: 25 }))?.status, 200)
  await until('the timeout is longer', LIMIT_MS, () => heard(leader).includes('Ctimeout=20\n1'))
  await until('it is told', LIMIT_MS, () =>
    /updated with 20 second timeout, timing slack 19 seconds/.test(leader.logSince()),
  )
})

told('19 pause switches the watchdog off, resume on again', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  assert.equal((await ctl(cluster, ['pause', cluster.scope, '--wait'])).code, 0)
  await until('it was switched off', LIMIT_MS, () => heard(leader).endsWith('1V'))
  await sleep(2500)
  assert.ok(heard(leader).endsWith('1V'), 'and stays off')
  assert.equal((await ctl(cluster, ['resume', cluster.scope, '--wait'])).code, 0)
  await until('it is fed again', LIMIT_MS, () => heard(leader).endsWith('VCtimeout=20\n111'))
})

told('19 in a switchover the old primary says farewell to its watchdog before the new one begins', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const next = other(leader)
  const body = { leader: leader.name, candidate: next.name }
  assert.equal((await leader.rest('POST', '/switchover', body, 30_000))?.status, 200)
  assert.equal(await cluster.healthy(LIMIT_MS), next)
  assert.ok(heard(leader).endsWith('1V'))
  await until('the new one is fed', LIMIT_MS, () => heard(next).endsWith('11'))
  await assertLeads(cluster, next)
})

told('6.2 a member whose required watchdog is not usable says so and does not become primary', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const replica = other(leader)
  renameSync(device(replica), `${device(replica)}.away`)
  const report = (await replica.report()) as { watchdog_failed?: boolean } | null
  assert.equal(report?.watchdog_failed, true)
  const refused = await leader.rest('POST', '/switchover', { leader: leader.name, candidate: replica.name })
  assert.equal(refused?.status, 412)
  const from = replica.logSize()
  await leader.stop(LIMIT_MS)
  await until('it says why not', LIMIT_MS, () => replica.logSince(from).includes('Watchdog device is not usable'))
  await sleep(3000)
  assert.equal((await replica.rest('GET', '/primary'))?.status, 503)
  renameSync(`${device(replica)}.away`, device(replica))
  await until('now it does', LIMIT_MS, async () => (await replica.rest('GET', '/primary'))?.status === 200)
  await leader.start()
  assert.equal(await cluster.healthy(LIMIT_MS), replica)
})

told('7.3 a primary whose watchdog cannot be switched on any more gives up', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const next = other(leader)
  assert.equal((await ctl(cluster, ['pause', cluster.scope, '--wait'])).code, 0)
  await until('it was switched off', LIMIT_MS, () => heard(leader).endsWith('V'))
  renameSync(device(leader), `${device(leader)}.away`)
  assert.equal((await ctl(cluster, ['resume', cluster.scope])).code, 0)
  await until('the other leads', LIMIT_MS, async () => (await next.rest('GET', '/primary'))?.status === 200)
  await until('it is told', LIMIT_MS, () =>
    /Demoting self because watchdog could not be activated/.test(leader.logSince()),
  )
  renameSync(`${device(leader)}.away`, device(leader))
  assert.equal(await cluster.healthy(LIMIT_MS), next)
})

told('19 an agent that is killed says no farewell: the machine would be reset', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  leader.signalAgent('SIGKILL')
  await leader.agentEnd()
  assert.ok(heard(leader).endsWith('1'))
  await leader.start()
  await cluster.healthy(LIMIT_MS)
  await until('it is fed again', LIMIT_MS, () => /Ctimeout=20\n1+$/.test(heard(leader)))
  const exit = await leader.stop(LIMIT_MS)
  assert.equal(exit?.code, 0)
  assert.ok(heard(leader).endsWith('V'), 'an orderly end switches it off')
  assertNoBug(cluster)
})

function other(than: Member): Member {
  const found = cluster.members.find((member) => member !== than)
  assert.ok(found)
  return found
}
