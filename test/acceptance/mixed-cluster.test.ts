import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before } from 'node:test'
import { Cluster } from '../../lab/cluster.ts'
import { ctl } from '../../lab/ctl.ts'
import type { Member } from '../../lab/member.ts'
import { sleep, until } from '../../lab/wait.ts'
import { Writer } from '../../lab/writer.ts'
import { assertNoBug, assertNothingLost, timeline } from '../support/looks.ts'
import { story, withLogs } from '../support/story.ts'

const TIMING = { ttl: 20, loopWait: 1, retryTimeout: 3 }
const LIMIT_MS = 60_000

/** The REST server of a Patroni 4.1 member, as far as others talk to it, and its key in the store. */
class PatroniMember {
  readonly asked: { readonly method: string; readonly path: string; readonly body: string }[] = []
  accepts = true
  position = 0
  timeline = 1
  readonly #server: Server
  #port = 0

  constructor() {
    this.#server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      request.on('end', () => {
        this.asked.push({ method: request.method ?? '', path: request.url ?? '', body })
        if (request.method === 'POST') {
          response.writeHead(this.accepts ? 200 : 502, { 'Content-Type': 'text/html', lsn: String(this.position) })
          response.end(this.accepts ? 'Accepted' : 'Failsafe mode is disabled')
        } else {
          response.writeHead(200, { 'Content-Type': 'application/json' })
          response.end(this.#status())
        }
      })
    })
  }

  async listen(): Promise<void> {
    await new Promise<void>((listening) => this.#server.listen(0, '127.0.0.1', listening))
    this.#port = (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  get apiUrl(): string {
    return `http://127.0.0.1:${this.#port}/patroni`
  }

  /** Its member key, with a field that no version known to us has. */
  get key(): string {
    const at = this.position
    return `{"conn_url":"postgres://127.0.0.1:1/postgres","api_url":"${this.apiUrl}","state":"running","role":"replica","version":"4.1.4","tags":{"clonefrom":true,"of_later":[1]},"xlog_location":${at},"replay_lsn":${at},"receive_lsn":${at},"replication_state":"streaming","timeline":${this.timeline},"of_later":{"a":null}}`
  }

  #status(): string {
    return `{"state": "running", "postmaster_start_time": "2026-11-21 01:00:00.123456+00:00", "role": "replica", "server_version": 150020, "xlog": {"received_location": ${this.position}, "replayed_location": ${this.position}, "replayed_timestamp": "2026-11-21 01:00:01.123456+00:00", "paused": false}, "timeline": ${this.timeline}, "replication_state": "streaming", "cluster_unlocked": true, "dcs_last_seen": 1795222800, "tags": {"clonefrom": true}, "database_system_identifier": "7000000000000000001", "patroni": {"version": "4.1.4", "scope": "mixed", "name": "pg3"}, "of_later": 5}`
  }
}

let cluster: Cluster
const patroni = new PatroniMember()
const told = (title: string, tell: () => Promise<void>): void => story(title, () => cluster, tell)

before(async () => {
  await patroni.listen()
  cluster = await Cluster.create({
    checkout: process.cwd(),
    scope: 'mixed',
    members: ['n1', 'n2'],
    timing: TIMING,
    purpose: 'mixed',
    dcs: { failsafe_mode: true },
  })
  try {
    await cluster.bootstrap(LIMIT_MS)
    await publish()
  } catch (error) {
    throw withLogs(error, cluster)
  }
})

after(async () => {
  await cluster?.destroy()
  patroni.close()
})

/** The position that the leader last published, and the key with it. */
async function publish(aheadBytes = 0): Promise<void> {
  const status = JSON.parse((await cluster.store.get(cluster.key('status'))) ?? '{"optime":0}') as { optime: number }
  patroni.position = status.optime + aheadBytes
  await cluster.stores[0]?.put(cluster.key('members/pg3'), patroni.key)
}

function others(leader: Member): readonly Member[] {
  return cluster.members.filter((member) => member !== leader)
}

told('18.2 and 18.3 a member of Patroni 4.1 is listed, has its slot, and counts for failsafe mode', async () => {
  const leader = await cluster.healthy(LIMIT_MS)
  await until('its slot is there', LIMIT_MS, async () => {
    const rows = await leader.sql("SELECT 1 FROM pg_replication_slots WHERE slot_name = 'pg3'")
    return rows.length === 1
  })
  const row = (await cluster.rows()).find(({ name }) => name === 'pg3')
  assert.deepEqual(
    [row?.role, row?.state, row?.host, row?.port, row?.timeline],
    ['replica', 'streaming', '127.0.0.1', 1, 1],
  )
  assert.match((await ctl(cluster, ['list'])).stdout, /\| pg3 +\| 127\.0\.0\.1:1 +\| Replica +\| streaming/)
  await until('the failsafe record names it', LIMIT_MS, async () => {
    const urls = JSON.parse((await cluster.store.get(cluster.key('failsafe'))) ?? '{}') as Record<string, string>
    return urls['pg3'] === patroni.apiUrl && Object.keys(urls).length === 3
  })
})

told(
  '14.3 a primary of Patroni 4.1 that lost its store gets the consent of a replica, and none of a primary',
  async () => {
    const leader = await cluster.healthy(LIMIT_MS)
    const body = {
      name: 'pg3',
      conn_url: 'postgres://127.0.0.1:1/postgres',
      api_url: patroni.apiUrl,
      slots: { n1: patroni.position, pg3: patroni.position },
      of_later: true,
    }
    const [replica] = others(leader)
    const accepted = await replica?.rest('POST', '/failsafe', body)
    assert.deepEqual([accepted?.status, accepted?.text], [200, 'Accepted'])
    const refused = await leader.rest('POST', '/failsafe', body)
    assert.deepEqual([refused?.status, refused?.text], [500, 'Running as a leader'])
  },
)

told(
  '14.2 without the store the primary asks a member of Patroni 4.1, and goes on as long as that one consents',
  async () => {
    const leader = await cluster.healthy(LIMIT_MS)
    const writer = await Writer.start(cluster)
    patroni.asked.length = 0
    await cluster.store.stop()
    await sleep((TIMING.ttl + 5) * 1000)
    assert.equal((await leader.rest('GET', '/primary'))?.status, 200)
    const question = patroni.asked.find(({ method }) => method === 'POST')
    assert.equal(question?.path, '/failsafe')
    const body = JSON.parse(question.body) as Record<string, unknown>
    assert.deepEqual(Object.keys(body), ['name', 'conn_url', 'api_url', 'slots'])
    assert.deepEqual(
      [body['name'], body['conn_url'], body['api_url']],
      [leader.name, `postgres://127.0.0.1:${leader.pgPort}/postgres`, `${leader.apiUrl}/patroni`],
    )
    assert.ok('pg3' in (body['slots'] as object))
    patroni.accepts = false
    await until('the primary gives up', LIMIT_MS, async () => (await leader.rest('GET', '/primary'))?.status === 503)
    await writer.stop()
    patroni.accepts = true
    await cluster.store.start()
    await publish()
    await cluster.healthy(LIMIT_MS)
    assertNothingLost(await writer.account())
  },
)

told(
  '6.3 and 6.4 a member of Patroni 4.1 that has more WAL is not passed over; one that is level lets us win',
  async () => {
    const leader = await cluster.healthy(LIMIT_MS)
    const [replica] = others(leader)
    assert.ok(replica)
    patroni.timeline = await timeline(leader)
    await publish(1_000_000)
    const from = replica.logSize()
    await leader.killHost()
    await until('it has lost a race', LIMIT_MS, () =>
      replica.logSince(from).includes('Wal position of pg3 is ahead of my wal position'),
    )
    await sleep(3 * TIMING.loopWait * 1000)
    assert.equal(await cluster.leader(), null)
    assert.ok(replica.logSince(from).includes(`Got response from pg3 ${patroni.apiUrl}: {"state": "running"`))
    patroni.position -= 1_000_000
    const next = await cluster.writable(LIMIT_MS)
    assert.equal(next, replica)
    await leader.start()
    await cluster.healthy(LIMIT_MS)
    assertNoBug(cluster)
  },
)
