import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { budget, freePorts, LogBook, systemClock, systemRandom } from '../../../test/support/real.ts'
import { Session } from '../client/session.ts'
import type { Message, Ready } from '../core/types.ts'
import { makeNodeId } from '../replica/identity.ts'
import { StorageError } from '../storage/files.ts'
import { Driver } from './driver.ts'
import { RaftNode } from './node.ts'
import { folderName, TIMING } from './options.ts'

const log = new LogBook()
const deps = { clock: systemClock, random: systemRandom, log }
const pause = (ms: number) => systemClock.sleep(ms, budget(ms + 1000).signal)

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !holds(); i += 1) await pause(30)
  assert.ok(holds(), `${what}\n${log.lines.slice(-20).join('\n')}`)
}

/** Members of one group on neighbouring ports, each with its own folder. */
class Group {
  readonly folder = mkdtempSync(join(tmpdir(), 'raft-node-'))
  readonly nodes = new Map<number, RaftNode>()
  readonly #ports: readonly number[]

  constructor(t: TestContext, ports: readonly number[]) {
    this.#ports = ports
    t.after(async () => {
      await Promise.all([...this.nodes.values()].map((node) => node.stop()))
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  async attempt(port: number) {
    const selfAddress = `127.0.0.1:${port}`
    const partners = this.#ports.filter((one) => one !== port).map((one) => `127.0.0.1:${one}`)
    const bind = { host: '127.0.0.1', port }
    return RaftNode.start({ selfAddress, bind, partners, dataDir: this.folder, password: null, tls: null }, deps)
  }

  async start(port: number): Promise<RaftNode> {
    const started = await this.attempt(port)
    if (started.kind !== 'started') return assert.fail(started.text)
    this.nodes.set(port, started.node)
    return started.node
  }

  async stop(port: number): Promise<void> {
    await this.nodes.get(port)?.stop()
    this.nodes.delete(port)
  }

  folderOf(port: number): string {
    return join(this.folder, folderName(`127.0.0.1:${port}`))
  }

  get allArrived(): boolean {
    return [...this.nodes.values()].every(({ arrival }) => arrival.kind === 'arrived')
  }
}

async function put(node: RaftNode, key: string, value: string): Promise<void> {
  const changes = [{ kind: 'put', key, value, lease: null }] as const
  const outcome = await new Session(node).transact({ branches: [{ conditions: [], changes }] }, budget(5000))
  assert.equal(outcome.kind, 'carried-out', JSON.stringify(outcome))
}

async function get(node: RaftNode, key: string): Promise<string | null> {
  assert.equal(await node.whenCurrent(budget(5000)), null)
  return node.replica.kvs.get(key)?.value ?? null
}

test('a minority waits, a majority founds a group, and whoever comes later joins it', async (t) => {
  const ports = (await freePorts(3)).toSorted((one, other) => one - other)
  const [founder = 0, follower = 0, late = 0] = ports
  const group = new Group(t, ports)
  const first = await group.start(founder)
  await pause(800)
  assert.match(JSON.stringify(first.arrival), /2 of .* must be there/)
  const second = await group.start(follower)
  await until('two have arrived', () => group.allArrived)
  await put(second, 'k', '1')
  const third = await group.start(late)
  await until('the third has a vote', () => group.allArrived)
  assert.equal(await get(third, 'k'), '1')
  assert.equal(third.replica.raft.log.membership.voters.length, 3)

  // The one that leads goes: the others go on.
  const leader = [...group.nodes].find(([, node]) => node.replica.raft.isLeader)?.[0] ?? 0
  await group.stop(leader)
  const [left] = group.nodes.values()
  await put(left as RaftNode, 'k', '2')

  // It comes back with an empty disk: as somebody else, at the same address.
  rmSync(group.folderOf(leader), { recursive: true })
  const back = await group.start(leader)
  await until('it has a vote again', () => group.allArrived)
  assert.equal(await get(back, 'k'), '2')
  assert.equal(back.replica.raft.log.membership.voters.length, 3)

  // All stop and start: everything is still there.
  for (const port of ports) await group.stop(port)
  const again = await Promise.all(ports.map((port) => group.start(port)))
  await until('all are back', () => group.allArrived)
  assert.equal(await get(again[0] as RaftNode, 'k'), '2')
})

test('a leader that stops hands its lead on: nobody waits until it is missed', async (t) => {
  const ports = await freePorts(3)
  const group = new Group(t, ports)
  for (const port of ports) await group.start(port)
  await until('all have a vote', () => group.allArrived)
  const leads = ([, node]: readonly [number, RaftNode]): boolean => node.replica.raft.isLeader
  const [port = 0] = [...group.nodes].find(leads) ?? []
  const began = performance.now()
  await group.stop(port)
  await until('somebody else leads', () => [...group.nodes].some(leads))
  const tookMs = performance.now() - began
  const { tickMs, electionTicks } = TIMING
  assert.ok(tookMs < tickMs * electionTicks, `${tookMs} ms`)
})

test('a damaged log keeps a member from starting, and so does a port in use', async (t) => {
  const [port = 0] = await freePorts(1)
  const group = new Group(t, [port])
  await group.start(port)
  await until('it is alone', () => group.allArrived)
  await put(group.nodes.get(port) as RaftNode, 'k', '1')
  await group.stop(port)
  const [name = ''] = readdirSync(group.folderOf(port)).filter((one) => one.startsWith('log-'))
  const file = join(group.folderOf(port), name)
  const content = readFileSync(file)
  content[content.length - 60] = (content[content.length - 60] ?? 0) ^ 1
  writeFileSync(file, content)
  assert.match(JSON.stringify(await group.attempt(port)), /impossible.*damaged at byte/)

  const server = createServer().listen(port, '127.0.0.1')
  t.after(() => server.close())
  await new Promise<void>((resolve) => server.once('listening', () => resolve()))
  assert.match(JSON.stringify(await group.attempt(port)), /impossible.*EADDRINUSE/)
})

const ID = makeNodeId('a', '1')
const OTHER = makeNodeId('b', '1')
const voteRequest = (term: number): Message => {
  const body = { kind: 'vote', lastIndex: 5, lastTerm: 5, transfer: false } as const
  return { from: OTHER, to: ID, term, body }
}

function driverOn(save: (ready: Pick<Ready, 'hardState'>) => Promise<void>): { driver: Driver; sent: Message[] } {
  const sent: Message[] = []
  const storage = { id: ID, save, compact: async () => {}, close: async () => {} }
  const random = (): number => 0.5
  const send = (message: Message): boolean => sent.push(message) > 0
  const driver = new Driver(
    { clock: systemClock, log, random, storage, send, onLeader: () => {} },
    { hardState: { term: 0, vote: null }, snapshot: null, entries: [] },
  )
  return { driver, sent }
}

test('while the disk is full nothing is answered; once there is room the vote is written and sent', async (t) => {
  let full = true
  const written: Ready['hardState'][] = []
  const { driver, sent } = driverOn(async (ready) => {
    if (full) throw new StorageError('full', 'no space left to write x')
    written.push(ready.hardState)
  })
  t.after(() => driver.stop())
  driver.step(voteRequest(7))
  await pause(50)
  driver.step(voteRequest(8))
  await pause(50)
  assert.equal(sent.length, 0)
  assert.ok(log.has('no space left to write x: this member takes no part until there is'))
  full = false
  await until('the vote is sent', () => sent.length > 0)
  assert.deepEqual(written[0], { term: 7, vote: OTHER })
  assert.deepEqual(
    sent.map(({ term, body }) => [term, body.kind]),
    [[7, 'vote-answer']],
  )
})

test('a snapshot that no connection took is sent again as soon as the member is heard of', async (t) => {
  const membership = { voters: [ID], learners: [OTHER] }
  const snapshot = { index: 5, term: 1, membership, data: '' }
  let isConnected = false
  const storage = { id: ID, save: async () => {}, compact: async () => {}, close: async () => {} }
  const sent: Message[] = []
  const send = (message: Message): boolean => {
    if (isConnected) sent.push(message)
    return isConnected
  }
  const driver = new Driver(
    { clock: systemClock, log, random: () => 0.5, storage, send, onLeader: () => {} },
    { hardState: { term: 1, vote: null }, snapshot, entries: [] },
  )
  t.after(() => driver.stop())
  driver.replica.raft.campaign()
  driver.kick()
  await pause(50)
  const { term } = driver.replica.raft
  const rejected = { kind: 'append-rejected', index: 5, hint: 0, hintTerm: 0 } as const
  driver.step({ from: OTHER, to: ID, term, body: rejected })
  await pause(50)
  isConnected = true
  driver.step({ from: OTHER, to: ID, term, body: { kind: 'heartbeat-answer', round: 1 } })
  await pause(50)
  assert.deepEqual(
    sent.map(({ body }) => body.kind),
    ['snapshot'],
  )
})

test('after a write of which nobody knows how it ended the member answers nothing any more', async (t) => {
  const { driver, sent } = driverOn(async () => {
    throw new StorageError('broken', 'x cannot be synced: EIO')
  })
  t.after(() => driver.stop())
  driver.step(voteRequest(7))
  await pause(50)
  driver.step(voteRequest(8))
  await pause(50)
  assert.equal(driver.failure, 'x cannot be synced: EIO')
  assert.equal(sent.length, 0)
  assert.ok(log.has('critical: raft: x cannot be synced: EIO'))
})

test('whoever waits for a leader leaves nothing behind at each attempt', async (t) => {
  const ports = await freePorts(2)
  const group = new Group(t, ports)
  const alone = await group.start(ports[0] ?? 0)
  const warnings: Error[] = []
  const hear = (warning: Error): number => warnings.push(warning)
  process.on('warning', hear)
  t.after(() => process.off('warning', hear))
  assert.equal(await alone.whenCurrent(budget(1500)), 'raft: nobody leads the group')
  await pause(10)
  assert.deepEqual(warnings, [])
})
