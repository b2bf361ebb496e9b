import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import type { ConfigDocument, Member } from '../../lab/member.ts'
import { processTitle, processTree, signalAll } from '../../lab/processes.ts'
import { until } from '../../lab/wait.ts'
import { assertNoBug } from '../support/looks.ts'
import { interceptProgram } from '../support/programs.ts'
import { type Script, script } from '../support/scripts.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const LIMIT_MS = 60_000
const ACTIONS = ['on_start', 'on_stop', 'on_restart', 'on_reload', 'on_role_change']

let cluster: Cluster
const callbacks = new Map<Member, Script>()
const beforeStop = new Map<Member, Script>()
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope: 'calls',
    members: ['n1', 'n2'],
    timing: TIMING,
    purpose: 'callbacks',
  })
  for (const member of cluster.members) {
    const callback = script(cluster, `callback-${member.name}`)
    const stop = script(cluster, `before-stop-${member.name}`, 'exit 1')
    callbacks.set(member, callback)
    beforeStop.set(member, stop)
    Object.assign(member.config['postgresql'] as ConfigDocument, {
      callbacks: Object.fromEntries(ACTIONS.map((action) => [action, `${callback.path} 'first word'`])),
      before_stop: stop.path,
    })
    interceptProgram(cluster, member, 'postgres', [`if [ "$1" = -D -a -e ${broken(member)} ]; then exit 1; fi`])
  }
  try {
    await cluster.bootstrap(LIMIT_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(() => cluster?.destroy())

told('postgres 9.1 a new primary and a new replica have started, and are told apart', async () => {
  await cluster.healthy(LIMIT_MS)
  assert.deepEqual(await eventually('n1', 1), ['on_start primary'])
  assert.deepEqual((await eventually('n2', 1))[0], 'on_start replica')
  assert.deepEqual(callbacks.get(cluster.member('n1'))?.calls()[0], ['first word', 'on_start', 'primary', 'calls'])
})

told('postgres 9.1 a reload and a restart are told as such, with the role', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const seen = count(leader)
  const change = { postgresql: { parameters: { log_min_duration_statement: 4711 } } }
  assert.equal((await leader.rest('PATCH', '/config', change))?.status, 200)
  assert.deepEqual(await eventually(leader.name, seen + 1, seen), ['on_reload primary'])
  await cluster.healthy(LIMIT_MS)
  const now = count(leader)
  assert.equal((await leader.rest('POST', '/restart', {}, 30_000))?.status, 200)
  assert.deepEqual(await eventually(leader.name, now + 1, now), ['on_restart primary'])
})

told(
  'postgres 9.1 a switchover stops and then changes the role of one, and changes the role of the other',
  async () => {
    const leader = await cluster.healthy(LIMIT_MS)
    const next = other(leader)
    const seen = { leader: count(leader), next: count(next), stops: beforeStop.get(leader)?.calls().length ?? 0 }
    const body = { leader: leader.name, candidate: next.name }
    assert.equal((await leader.rest('POST', '/switchover', body, 30_000))?.status, 200)
    assert.equal(await cluster.healthy(LIMIT_MS), next)
    const [stop, change] = withoutReload(await eventually(leader.name, seen.leader + 2, seen.leader))
    assert.ok(stop === 'on_stop primary' || stop === 'on_stop demoted', stop)
    assert.equal(change, 'on_role_change replica')
    assert.equal((await eventually(next.name, seen.next + 1, seen.next))[0], 'on_role_change primary')
    const stops = beforeStop.get(leader)?.calls().slice(seen.stops)
    assert.deepEqual(stops, [[]], 'before_stop ran once, without arguments, and its failure did not matter')
  },
)

told('postgres 9.1 a primary that crashed and cannot be started again is told as demoted', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const next = other(leader)
  const seen = count(leader)
  writeFileSync(broken(leader), '')
  leader.killPostmaster()
  await until('the other one leads', LIMIT_MS, async () => (await cluster.leader()) === next)
  assert.deepEqual(withoutReload(await eventually(leader.name, seen + 1, seen)), ['on_role_change demoted'])
  await until('it is told', LIMIT_MS, () =>
    /removed leader key after trying and failing to start postgres/.test(leader.logSince()),
  )
  await leader.stop(LIMIT_MS)
  rmSync(broken(leader))
  await leader.start()
  assert.equal(await cluster.healthy(LIMIT_MS), next)
})

told('postgres 9.2 a callback that still runs, and all it started, is ended when the next one is due', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  const slow = script(cluster, 'slow', 'sleep 3600 & sleep 3600')
  const section = leader.config['postgresql'] as ConfigDocument
  section['callbacks'] = { on_restart: slow.path, on_role_change: slow.path }
  leader.writeConfig()
  leader.signalAgent('SIGHUP')
  await until('it is read', LIMIT_MS, () => leader.logSince().includes('Reloading PostgreSQL configuration'))
  for (const times of [1, 2]) {
    assert.equal((await leader.rest('POST', '/restart', {}, 30_000))?.status, 200)
    await until('it runs', LIMIT_MS, () => slow.calls().length === times)
  }
  const sleeping = processTree(leader.agentPid ?? 0).filter((pid) => processTitle(pid) === 'sleep 3600')
  await until('only the second one is left', LIMIT_MS, () => sleeping.length <= 2)
  await until('it is told', LIMIT_MS, () => /Killed .*slow.sh.* because it was still running/.test(leader.logSince()))
  signalAll(sleeping, 'SIGKILL')
  assertNoBug(cluster)
})

function broken(member: Member): string {
  return join(cluster.folder, `broken-${member.name}`)
}

function other(than: Member): Member {
  const found = cluster.members.find((member) => member !== than)
  assert.ok(found)
  return found
}

function calledWith(member: Member): readonly string[] {
  const calls = callbacks.get(member)?.calls() ?? []
  return calls.map(([, action, role]) => `${action} ${role}`)
}

function count(member: Member): number {
  return calledWith(member).length
}

/** What a member's callbacks were told, from `from` on, once there are `least` calls. */
async function eventually(name: string, least: number, from = 0): Promise<readonly string[]> {
  const member = cluster.member(name)
  await until(`${name} was called ${least} times`, LIMIT_MS, () => count(member) >= least)
  return calledWith(member).slice(from)
}

/** Reloads come on top, where configuration is written anew. */
function withoutReload(calls: readonly string[]): readonly string[] {
  return calls.filter((call) => !call.startsWith('on_reload'))
}
