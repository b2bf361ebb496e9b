import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { ctl } from '../../lab/ctl.ts'
import { until } from '../../lab/wait.ts'
import { replayCycle } from '../../src/ha/replay/replay.ts'
import type { CycleRecording } from '../../src/ports/journal.ts'
import { testStore } from '../support/store.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 2, retryTimeout: 3 }
const HEAL_MS = 60_000

let cluster: Cluster
const told = (title: string, tell: (cluster: Cluster) => Promise<void>): void => story(title, () => cluster, tell)

interface StoryDocument {
  readonly kind: string
  readonly leader_before: string | null
  readonly leader_after: string | null
  readonly why: string
  readonly rule: { readonly rule: string } | null
  readonly considered: readonly { readonly member: string; readonly verdict: string }[]
  readonly took: readonly { readonly what: string; readonly ms: number }[]
}

before(async () => {
  cluster = await Cluster.create({
    checkout: process.cwd(),
    store: testStore(),
    scope: 'why',
    members: ['n1', 'n2', 'n3'],
    timing: TIMING,
    purpose: 'why',
  })
  try {
    await cluster.bootstrap(HEAL_MS)
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(() => cluster?.destroy())

told('after a switchover why says that it was asked for, to whom, and how long it took', async () => {
  const from = await cluster.healthy(HEAL_MS)
  const to = cluster.members.find((member) => member !== from)
  const answer = await from.rest('POST', '/switchover', { leader: from.name, candidate: to?.name ?? '' }, 30_000)
  assert.equal(answer?.status, 200, answer?.text)
  await cluster.healthy(HEAL_MS)
  const [story] = await lastStories()
  assert.deepEqual([story?.kind, story?.leader_before, story?.leader_after], ['switchover', from.name, to?.name])
  assert.equal(story?.why, `A switchover from ${from.name} to ${to?.name} was asked for.`)
  assert.equal(story?.rule?.rule, 'promote-by-acquiring')
})

told('a refused candidate is named with the reason', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  const other = cluster.members.find((member) => member !== leader)
  other?.signalAgent('SIGSTOP')
  try {
    const answer = await leader.rest(
      'POST',
      '/switchover',
      { leader: leader.name, candidate: other?.name ?? '' },
      30_000,
    )
    assert.notEqual(answer?.status, 200)
  } finally {
    other?.signalAgent('SIGCONT')
  }
  await cluster.healthy(HEAL_MS)
  const { stdout } = await ctl(cluster, ['why', '--since', '1m'])
  assert.match(stdout, new RegExp(`considered ${other?.name}: does not answer`))
})

told('after a killed host why names the rule, the considered members and the duration', async () => {
  const from = await cluster.healthy(HEAL_MS)
  await from.killHost()
  const others = cluster.members.filter((member) => member !== from)
  await until('somebody else leads', HEAL_MS, async () => {
    const answers = await Promise.all(others.map((member) => member.rest('GET', '/primary')))
    return answers.some((answer) => answer?.status === 200)
  })
  const [story] = await lastStories()
  assert.deepEqual([story?.kind, story?.leader_before], ['failover', from.name])
  assert.ok(others.some(({ name }) => name === story?.leader_after))
  assert.equal(story?.rule?.rule, 'promote-by-acquiring')
  assert.match(story?.why ?? '', new RegExp(`${from.name} did not renew its lease of 20 s`))
  const verdicts = new Map(story?.considered.map(({ member, verdict }) => [member, verdict]))
  assert.equal(verdicts.get(from.name), 'unreachable')
  const third = others.find(({ name }) => name !== story?.leader_after)
  assert.match(verdicts.get(third?.name ?? '') ?? '', /^(equal|behind)$/)
  assert.ok(
    story?.took.some(({ what, ms }) => what === 'from the first sign to a new primary' && ms > 0 && ms < 30_000),
  )
  const { stdout, code } = await ctl(cluster, ['why'])
  assert.equal(code, 0)
  assert.match(stdout, new RegExp(`${from.name} tells nothing`))
  assert.match(stdout, /^ {2}Rule: promote-by-acquiring at /m)
})

told('every cycle that was worth keeping decides the same again when it is replayed', async () => {
  let failovers = 0
  const different: string[] = []
  for (const { name, dataDir } of cluster.members) {
    const lines = readFileSync(`${dataDir}.journal/cycles.jsonl`, 'utf8').split('\n')
    for (const line of lines.filter((one) => one !== '')) {
      const recording = JSON.parse(line) as CycleRecording
      const { same, result, unanswered } = await replayCycle(recording)
      if (result.rule === 'promote-by-acquiring') failovers += 1
      const then = recording['result'] as { text: string }
      if (!same) different.push(`${name}: ${then.text} -> ${result.text} (${unanswered.join(', ')})`)
    }
  }
  assert.ok(failovers >= 2, `${failovers} changes of the leader`)
  assert.deepEqual(different, [])
})

told('the story is still there after the agents were restarted', async () => {
  for (const member of cluster.members) {
    if (member.isRunning) await member.stop(30_000)
    await member.start()
  }
  await cluster.healthy(HEAL_MS)
  const { stdout } = await ctl(cluster, ['why', '--json', '--since', '10m'])
  const { stories } = JSON.parse(stdout) as { stories: StoryDocument[] }
  assert.ok(stories.some(({ kind }) => kind === 'switchover'))
  assert.ok(stories.some(({ kind }) => kind === 'failover'))
})

told('a strike of the lease guard is told by the next agent, where and when it happened', async () => {
  const leader = await cluster.healthy(HEAL_MS)
  leader.signalAgent('SIGKILL')
  await cluster.writable(HEAL_MS, { otherThan: leader })
  await leader.start()
  await cluster.healthy(HEAL_MS)
  const { stdout } = await ctl(cluster, ['why'])
  const journal = await leader.rest('GET', '/journal')
  assert.match(
    stdout,
    new RegExp(`^ {2}Why: The agent of ${leader.name} no longer renewed the lease: .*lease guard`, 'm'),
    `${stdout}\nIn the journal of ${leader.name}: ${JSON.stringify(journal)}`,
  )
  assert.ok(
    stdout.indexOf('the lease guard killed PostgreSQL,') <
      stdout.indexOf(`saw that the leader key of ${leader.name} is gone`),
    stdout,
  )
  assert.match(leader.logSince(), /The lease guard has killed PostgreSQL \(pid \d+\) at /)
})

async function lastStories(): Promise<readonly StoryDocument[]> {
  const { stdout, stderr, code } = await ctl(cluster, ['why', '--json'])
  assert.equal(code, 0, stderr)
  return (JSON.parse(stdout) as { stories: StoryDocument[] }).stories
}
