import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import type { ConfigDocument } from '../../lab/member.ts'
import { sleep, until } from '../../lab/wait.ts'
import { assertNoBug } from '../support/looks.ts'
import { interceptProgram } from '../support/programs.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 10, retryTimeout: 3 }
const LIMIT_MS = 60_000
const WATCHED_MS = 15_000
/** After pauses of 1, 2, 4 and 8 s no more are begun in that time. */
const MOST = 5

let cluster: Cluster
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    scope: 'pauses',
    members: ['n1', 'n2'],
    timing: TIMING,
    purpose: 'pauses',
  })
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(() => cluster?.destroy())

function count(text: string, part: string): number {
  return text.split(part).length - 1
}

told('5.1 a standby that ends as soon as it is started is started less and less often, and at last runs', async () => {
  const replica = cluster.member('n2')
  const parameters = (replica.config['postgresql'] as { parameters: ConfigDocument }).parameters
  parameters['shared_preload_libraries'] = 'there_is_no_such_library'
  replica.writeConfig()
  replica.signalAgent('SIGHUP')
  await until('it waits for a restart', LIMIT_MS, async () => {
    return ((await replica.report()) as { pending_restart?: boolean } | null)?.pending_restart === true
  })
  replica.killPostmaster()
  const from = replica.logSize()
  await sleep(WATCHED_MS)
  const tries = count(replica.logSince(from), 'postmaster pid=')
  assert.ok(tries >= 2 && tries <= MOST, `${tries} starts in ${WATCHED_MS / 1000} s`)
  delete parameters['shared_preload_libraries']
  replica.writeConfig()
  replica.signalAgent('SIGHUP')
  await cluster.healthy(LIMIT_MS)
})

told('4.2 a copy that fails at once is tried less and less often, and at last made', async () => {
  const added = await cluster.addMember('n3')
  interceptProgram(cluster, added, 'pg_basebackup', [`[ -e ${cluster.folder}/works ] || exit 1`])
  await added.start()
  await until('the first try', LIMIT_MS, () => added.logSince().includes('failed to bootstrap from leader'))
  const from = added.logSize()
  await sleep(WATCHED_MS)
  const tries = count(added.logSince(from), 'failed to bootstrap from leader')
  assert.ok(tries >= 2 && tries <= MOST, `${tries} copies in ${WATCHED_MS / 1000} s`)
  writeFileSync(`${cluster.folder}/works`, '')
  await cluster.healthy(LIMIT_MS)
  assertNoBug(cluster)
})
