import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { leaveRoot, newCluster, type TestCluster } from '../../test/support/postgres.ts'
import { serverOf, type TestServer } from '../../test/support/server.ts'
import { timeline } from '../cluster/timeline.ts'
import { signalProcess } from './process-table.ts'

const never = new AbortController().signal
const servers: TestServer[] = []
let cluster: TestCluster

function agent(changes: Parameters<typeof serverOf>[1] = {}, of: TestCluster = cluster): TestServer {
  const made = serverOf(of, changes)
  servers.push(made)
  return made
}

async function until(holds: () => boolean | Promise<boolean>, limitMs: number, what: string): Promise<number> {
  const since = performance.now()
  while (!(await holds())) {
    if (performance.now() - since > limitMs) assert.fail(`not within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  return performance.now() - since
}

function pidOf({ server }: TestServer): number {
  return Number(server.postmasterIdentity()?.split('@')[0])
}

/** The child of this postmaster whose title names it, e.g. `startup`. */
function childCalled(postmaster: number, what: string): number {
  const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8').trim().split(' ').map(Number)
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(what))
  assert.ok(found, `${what} of ${postmaster}`)
  return found
}

const START = { timeoutMs: null, callback: true } as const
const STOP = { mode: 'fast', checkpoint: false, limitMs: null } as const

before(async () => {
  await leaveRoot()
  cluster = await newCluster()
})

after(async () => {
  for (const { server } of servers) server.close()
  await cluster?.remove()
})

test('1.5 a started server runs in a session of its own, accepts connections, and its callback fires', async () => {
  const made = join(cluster.root, 'called')
  const script = join(cluster.root, 'callback.sh')
  await writeFile(script, `#!/bin/sh\necho "$@" >> ${made}\n`)
  await chmod(script, 0o755)
  const first = agent({ callbacks: { on_start: script, on_stop: `${script} 'two words'` } })
  const { server, tools, log } = first
  assert.equal(server.isAlive(), false)
  assert.equal(await server.start(START, never), 'running')
  assert.equal(tools.memory.state, 'running')
  assert.equal(tools.memory.role, 'primary')
  assert.ok(server.isAlive())
  const pid = pidOf(first)
  assert.ok(log.lines.includes(`INFO postmaster pid=${pid}`))
  const [, , , , session] = /\) (\S+) (\d+) (\d+) (\d+)/.exec(await readFile(`/proc/${pid}/stat`, 'utf8')) ?? []
  assert.equal(Number(session), pid, 'it leads its own session')
  assert.equal(await cluster.sql('SELECT 1'), '1')

  const seen = await server.observe(never)
  assert.equal(seen.kind, 'observed')
  if (seen.kind !== 'observed') return
  assert.equal(seen.observation.inRecovery, false)
  assert.equal(seen.observation.timeline, 1)
  assert.ok(seen.observation.primaryLsn > 0)
  assert.match(seen.observation.postmasterStartTime, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d$/)
  assert.equal(Math.floor(server.version / 100), 1500)
  assert.equal(await server.identifyTimeline(never), 1)
  assert.equal((await server.look(never)).kind, 'observed')

  assert.equal(await server.stop(STOP, never), 'stopped')
  assert.equal(tools.memory.state, 'stopped')
  assert.equal(server.isAlive(), false)
  await until(
    async () => (await readFile(made, 'utf8').catch(() => '')).includes('on_stop'),
    2000,
    'on_stop was called',
  )
  assert.equal(await readFile(made, 'utf8'), 'on_start primary demo\ntwo words on_stop primary demo\n')
  assert.equal(server.callbackAttempted, true)
})

test('1.12 the positions of a clean shutdown are read, and a running server has none', async () => {
  const { server } = agent()
  await server.start(START, never)
  assert.equal(await server.shutdownPositions(never), null)
  await server.stop(STOP, never)
  const control = await server.controlData(never)
  const positions = await server.shutdownPositions(never)
  assert.ok(positions && positions.checkpoint === control?.checkpointLsn)
  assert.equal(positions.previous, positions.checkpoint)
})

test('1.3 the end of a killed postmaster is an event within 100 ms, for a server we started and for an adopted one', async () => {
  for (const adopted of [false, true]) {
    for (const victims of ['postmaster', 'all'] as const) {
      const starter = agent()
      await starter.server.start(START, never)
      let watcher = starter
      if (adopted) {
        starter.server.close()
        watcher = agent()
        // Another agent's child is ours to watch only by its connection: as if the first agent had ended.
        await watcher.server.adopt(never)
      }
      const { server, tools } = watcher
      assert.equal(tools.memory.state, 'running')
      await until(() => server.sql.isOpen, 2000, 'the heartbeat connection is open')
      let endedAt = 0
      server.onUnexpectedEnd(() => (endedAt = performance.now()))
      const pid = pidOf(watcher)
      const children = tools.table.pids().filter((one) => tools.table.stat(one)?.parent === pid)
      const killedAt = performance.now()
      signalProcess(pid, 'SIGKILL')
      if (victims === 'all') for (const child of children) signalProcess(child, 'SIGKILL')
      await until(() => endedAt > 0, 1000, `adopted=${adopted} ${victims}: the end is told`)
      assert.ok(endedAt - killedAt < 100, `${endedAt - killedAt} ms, adopted=${adopted} ${victims}`)
      assert.equal(server.isAlive(), false)
      tools.memory.setState('crashed')
    }
  }
})

test('1.5 a server whose postmaster was killed while a session was busy starts again at once', async () => {
  const first = agent()
  const { server, tools } = first
  await server.start(START, never)
  const busy = cluster.sql('SELECT count(*) FROM generate_series(1, 1000000000)').catch((error: Error) => error)
  await until(
    async () =>
      (await cluster.sql(
        `SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%generate_series%' AND state = 'active'`,
      )) === '2',
    5000,
    'the session is busy',
  )
  signalProcess(pidOf(first), 'SIGKILL')
  await until(() => !server.isAlive(), 1000, 'the postmaster ended')
  tools.memory.setState('crashed')
  const since = performance.now()
  assert.equal(await server.start({ ...START, role: 'primary' }, never), 'running')
  assert.equal(await cluster.sql('CREATE TABLE again (n int); SELECT 1'), '1')
  const tookMs = performance.now() - since
  assert.ok(tookMs < 2500, `${tookMs} ms`)
  assert.ok((await busy) instanceof Error, 'the busy session of the dead server ended')
  await server.stop(STOP, never)
})

test('1.4 an agent that begins under a running server adopts it and leaves it as it is', async () => {
  const first = agent()
  await first.server.start(START, never)
  const pid = pidOf(first)
  first.server.close()
  const second = agent()
  await second.server.adopt(never)
  assert.equal(second.tools.memory.state, 'running')
  assert.equal(second.tools.memory.role, 'primary')
  assert.equal(pidOf(second), pid)
  await second.server.stop(STOP, never)

  const third = agent()
  await third.server.adopt(never)
  assert.equal(third.tools.memory.role, 'demoted', 'a stopped former primary is not simply started again')
  assert.equal(third.tools.memory.state, 'stopped')
})

test('1.5 a start on a taken port fails as soon as PostgreSQL gives up, and says so in the state', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(cluster.port, '127.0.0.1', resolve))
  const { server, tools, log } = agent()
  const since = performance.now()
  assert.equal(await server.start(START, never), 'failed')
  assert.ok(performance.now() - since < 3000)
  assert.equal(tools.memory.state, 'start failed')
  assert.ok(log.lines.includes('ERROR postmaster is not running'))
  await new Promise((resolve) => taken.close(resolve))
})

test('1.5 a missing binary is said in one line', async () => {
  const { server, tools, log } = agent({ binDir: '/nowhere' })
  assert.equal(await server.start(START, never), 'failed')
  assert.equal(tools.memory.state, 'start failed')
  assert.ok(
    log.lines.some((line) => line.startsWith('ERROR PostgreSQL cannot be started: spawn /nowhere/postgres ENOENT')),
  )
})

test('1.5 a start that is cancelled before its launch launches nothing, one that is launched is killed', async () => {
  const { server } = agent()
  const early = server.start(START, never)
  await server.cancelStart()
  assert.equal(await early, 'failed')
  assert.equal(server.isAlive(), false)

  const late = agent()
  const starting = late.server.start(START, never)
  await until(() => late.server.isAlive(), 2000, 'the postmaster is launched')
  await late.server.cancelStart()
  assert.equal(late.server.isAlive(), false)
  assert.equal(await starting, 'failed')
})

test('1.7 while the archiver still works the safe point and then the shutdown checkpoint are told, once each', async () => {
  const archiving = await newCluster()
  try {
    await archiving.configure(`archive_mode = on\narchive_command = 'sleep 0.5'\n`)
    const { server } = agent({}, archiving)
    await server.start(START, never)
    await archiving.sql('CREATE TABLE t (n int)')
    const busy = archiving.sql('SELECT pg_sleep(60)').catch(() => 'ended')
    const running = `SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'`
    await until(async () => (await archiving.sql(running)) === '1', 5000, 'a client is busy')
    const order: string[] = []
    let answers = 0
    const since = performance.now()
    const outcome = await server.stop(
      {
        ...STOP,
        checkpoint: true,
        onSafePoint: async () => void order.push(`safe, alive: ${server.isAlive()}`),
        onShutdownCheckpoint: async ({ checkpoint, previous }) => {
          order.push(`checkpoint, archived before it: ${previous < checkpoint}, alive: ${server.isAlive()}`)
          answers += 1
          return answers === 2
        },
      },
      never,
    )
    assert.equal(outcome, 'stopped')
    assert.ok(performance.now() - since < 5000)
    assert.equal(await busy, 'ended')
    const told = 'checkpoint, archived before it: true, alive: true'
    assert.deepEqual(order, ['safe, alive: true', told, told], 'asked again after it said "not yet"')
  } finally {
    await archiving.remove()
  }
})

test('1.7 a client that a smart stop waits for is ended when the time is over', async () => {
  const { server, log } = agent()
  await server.start(START, never)
  const client = cluster.sql('SELECT pg_sleep(60)').catch(() => 'ended')
  await until(
    async () =>
      (await cluster.sql(`SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'`)) === '1',
    5000,
    'busy',
  )
  assert.equal(await server.stop({ mode: 'smart', checkpoint: false, limitMs: 300 }, never), 'stopped')
  assert.equal(await client, 'ended')
  assert.ok(log.lines.includes('WARNING Timeout during postmaster stop, aborting Postgres.'))
})

test('1.7 a server that hangs is killed with its children when the time is over, and observing it ends in time', async () => {
  const hung = agent()
  const { server, log } = hung
  await server.start(START, never)
  await until(() => server.sql.isOpen, 2000, 'heartbeat')
  const children = hung.tools.table.pids().filter((one) => hung.tools.table.stat(one)?.parent === pidOf(hung))
  for (const pid of [...children, pidOf(hung)]) signalProcess(pid, 'SIGSTOP')
  const since = performance.now()
  assert.equal((await server.observe(never)).kind, 'unreachable')
  assert.ok(performance.now() - since < 4000, `${performance.now() - since} ms`)
  assert.ok(server.isAlive(), 'a suspended server is alive')
  assert.equal(await server.stop({ ...STOP, limitMs: 300 }, never), 'stopped')
  assert.ok(log.lines.includes('WARNING Sending SIGKILL to Postmaster and its children'))
  assert.ok(children.every((pid) => hung.tools.table.stat(pid)?.state !== 'T'))
})

test('1.7 an immediate stop does not wait for a postmaster that does not react while its sessions go on', async () => {
  const frozen = agent()
  await frozen.server.start(START, never)
  const busy = cluster.sql('SELECT count(*) FROM generate_series(1, 1000000000)').catch(() => 'ended')
  signalProcess(pidOf(frozen), 'SIGSTOP')
  const since = performance.now()
  assert.equal(await frozen.server.stop({ mode: 'immediate', checkpoint: false, limitMs: null }, never), 'stopped')
  assert.ok(performance.now() - since < 2000, `${performance.now() - since} ms`)
  assert.equal(await busy, 'ended')
})

test('1.8 a restart keeps its state through the stop and fires on_restart alone', async () => {
  const made = join(cluster.root, 'restarts')
  const say = (name: string): string => `sh -c 'echo $0 >> ${made}' ${name}`
  const { server, tools } = agent({
    callbacks: { on_start: say('start'), on_stop: say('stop'), on_restart: say('restart') },
  })
  await server.start(START, never)
  await until(async () => (await readFile(made, 'utf8').catch(() => '')) === 'start\n', 2000, 'on_start was called')
  const restarting = server.restart(null, { callback: true }, never)
  assert.equal(tools.memory.state, 'restarting')
  assert.equal((await server.observe(never)).kind, 'unreachable')
  server.forgetObservation()
  assert.equal(await restarting, 'running')
  assert.equal((await server.observe(never)).kind, 'observed')
  await until(async () => (await readFile(made, 'utf8')).includes('restart'), 2000, 'on_restart was called')
  assert.equal(await readFile(made, 'utf8'), 'start\nrestart\n')
  await server.stop(STOP, never)
})

test('1.9 a standby is promoted within moments, and a primary is not promoted again', async () => {
  const primary = agent()
  await primary.server.start(START, never)
  const copy = await cluster.standby()
  const standby = agent({}, copy)
  await standby.server.start(START, never)
  assert.equal(standby.tools.memory.role, 'replica')
  const seen = await standby.server.observe(never)
  assert.ok(seen.kind === 'observed' && seen.observation.inRecovery && seen.observation.timeline === 0)
  await until(async () => (await cluster.sql('SELECT count(*) FROM pg_stat_replication')) === '1', 5000, 'it streams')
  const streaming = await primary.server.look(never)
  assert.ok(streaming.kind === 'observed')
  assert.equal(streaming.observation.walSenders[0]?.applicationName, 'standby')
  assert.equal(streaming.observation.walSenders[0]?.state, 'streaming')

  // The standby has everything before the primary's end: what a switchover is.
  let released = 0
  const stoppingSince = performance.now()
  await primary.server.stop(
    {
      ...STOP,
      checkpoint: true,
      onShutdownCheckpoint: async ({ checkpoint }) => {
        released = performance.now()
        const look = await standby.server.look(never)
        return look.kind === 'observed' && look.observation.receivedLsn >= checkpoint
      },
    },
    never,
  )
  const stoppedMs = performance.now() - stoppingSince
  const since = performance.now()
  assert.equal(await standby.server.promote(10_000, never, timeline(2)), 'promoted')
  const promotedMs = performance.now() - since
  assert.equal(standby.tools.memory.role, 'primary')
  assert.equal(await copy.sql('SELECT pg_is_in_recovery()'), 'f')
  assert.ok(stoppedMs < 1500, `stop ${stoppedMs} ms, checkpoint seen after ${released - stoppingSince}`)
  assert.ok(promotedMs < 1000, `promotion ${promotedMs} ms`)
  if (process.env['MATRIARCH_TEST_LOG'])
    process.stderr.write(
      `stop ${stoppedMs} ms, checkpoint after ${released - stoppingSince}, promotion ${promotedMs} ms\n`,
    )
  const now = await standby.server.look(never)
  assert.ok(now.kind === 'observed' && now.observation.timeline === 2)

  assert.equal(await standby.server.promote(10_000, never, timeline(2)), 'promoted')
  standby.tools.memory.setRole('replica')
  assert.equal(await standby.server.promote(1000, never, timeline(2)), 'failed', 'it is in production already')
  await standby.server.stop(STOP, never)
})

test('1.11 a crashed server ends shut down after recovery in single-user mode', async () => {
  const crashed = agent()
  await crashed.server.start(START, never)
  signalProcess(pidOf(crashed), 'SIGKILL')
  await until(() => !crashed.server.isAlive(), 1000, 'it ended')
  assert.equal((await crashed.server.controlData(never))?.clusterState, 'in production')
  assert.equal(await crashed.server.singleUserRecovery(never), 'done')
  assert.equal((await crashed.server.controlData(never))?.clusterState, 'shut down')
})

test('9.4 pre_promote says no with any exit code but 0, and a hook that cannot be started says no', async () => {
  for (const [command, allowed] of [
    ['true', true],
    ['false', false],
    ['/nowhere/script', false],
    [`"unclosed`, false],
  ] as const)
    assert.equal(await agent({ prePromote: command }).server.prePromote(never), allowed, command)
})

test('1.3 a killed postmaster whose parent never takes note of its end does not keep PostgreSQL from starting', async () => {
  const first = agent()
  // Its parent is a shell that becomes a program which waits for nobody: the killed postmaster stays a zombie.
  const argv = `${cluster.binDir}/postgres -D ${cluster.dataDir}`
  const parent = spawn('sh', ['-c', `${argv} >/dev/null 2>&1 & exec sleep 60`], { stdio: 'ignore' })
  await first.server.adopt(never)
  await until(() => first.server.isAlive(), 5000, 'it runs')
  await until(async () => (await cluster.sql('SELECT 1').catch(() => '')) === '1', 5000, 'it is ready')
  await first.server.adopt(never)
  const pid = pidOf(first)
  signalProcess(pid, 'SIGKILL')
  await until(() => !first.server.isAlive(), 1000, 'it ended')
  assert.equal(first.tools.table.stat(pid)?.state, 'Z')
  assert.equal(await first.server.start({ ...START, role: 'primary' }, never), 'running')
  await first.server.stop(STOP, never)
  parent.kill('SIGKILL')
})

test('1.3 a pid file that names a foreign process does not keep PostgreSQL from starting', async () => {
  const foreign = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
  await writeFile(
    join(cluster.dataDir, 'postmaster.pid'),
    `${foreign.pid}\n${cluster.dataDir}\n1000000\n${cluster.port}\n`,
  )
  const { server } = agent()
  assert.equal(server.isAlive(), false)
  assert.equal(await server.start(START, never), 'running')
  await server.stop(STOP, never)
  foreign.kill('SIGKILL')
})

test('1.9 a promotion that is under way is known to the next agent, who can see nothing of it in the server', async () => {
  await writeFile(join(cluster.dataDir, 'standby.signal'), '')
  const first = agent()
  assert.equal(await first.server.start({ ...START, role: 'replica' }, never), 'running')
  const recovery = childCalled(pidOf(first), 'startup')
  assert.ok(signalProcess(recovery, 'SIGSTOP'))
  assert.equal(await first.server.promote(100, never), 'promoted')
  assert.equal(first.tools.memory.role, 'promoted')
  first.server.close()

  const second = agent()
  await second.server.adopt(never)
  assert.equal(second.tools.memory.role, 'promoted')
  assert.ok(signalProcess(recovery, 'SIGCONT'))
  await until(async () => (await cluster.sql('SELECT pg_is_in_recovery()')) === 'f', 5000, 'it is a primary')
  second.server.close()

  await second.server.stop(STOP, never)
  await writeFile(join(cluster.dataDir, 'standby.signal'), '')
  const third = agent()
  assert.equal(await third.server.start({ ...START, role: 'replica' }, never), 'running')
  third.server.close()
  const fourth = agent()
  await fourth.server.adopt(never)
  assert.equal(fourth.tools.memory.role, 'replica', 'what was said to an earlier postmaster does not count')
  await fourth.server.promote(5000, never)
  await fourth.server.stop(STOP, never)
})
