import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeAgent, statusOf } from '../../src/api/testing/fake-agent.ts'
import { withServer } from '../../src/api/testing/wire.ts'
import {
  MatriarchClient,
  type MemberStatus,
  RefusedError,
  type ReinitializeRequest,
  type TopologyMember,
  UnreachableError,
} from '../../src/client/client.ts'

const CREDENTIALS = { username: 'a', password: 'b' }

function withClient(tell: (client: MatriarchClient) => Promise<void>, agent = fakeAgent()): Promise<void> {
  return withServer(
    { authentication: CREDENTIALS },
    ({ port }) => tell(new MatriarchClient({ url: `http://127.0.0.1:${port}`, credentials: CREDENTIALS })),
    agent,
  )
}

test('what a member says is read and typed', () =>
  withClient(async (client) => {
    const status = await client.status()
    assert.deepEqual([status.role, status.patroni.name, status.timeline], ['primary', 'n1', 1])
    const { members, scope } = await client.cluster()
    assert.deepEqual([scope, members.map(({ name, role }) => [name, role])[0]], ['demo', ['n1', 'leader']])
    assert.deepEqual(await client.history(), [])
    assert.deepEqual((await client.journal(new Date(5))).records, [])
    assert.equal((await client.configuration())['ttl'], 30)
    assert.match(await client.metrics(), /^patroni_primary/m)
    assert.deepEqual([await client.isHealthy('/primary'), await client.isHealthy('/replica')], [true, false])
  }))

test('what is asked of a member arrives, and its words come back', () =>
  withClient(async (client) => {
    assert.deepEqual(await client.reload(), { status: 202, text: 'reload scheduled' })
    assert.equal((await client.restart()).text, 'restarted successfully')
  }))

test('a refusal tells status and words', () =>
  withClient(async (client) => {
    await assert.rejects(client.switchover({ leader: 'nobody', candidate: 'n2' }), (error: RefusedError) => {
      return error instanceof RefusedError && error.status === 412 && /leader name does not match/.test(error.body)
    })
  }))

test('wrong credentials are a refusal', () =>
  withServer({ authentication: CREDENTIALS }, async ({ port }) => {
    const client = new MatriarchClient(`http://127.0.0.1:${port}`)
    await assert.rejects(client.reload(), (error: RefusedError) => error.status === 401)
  }))

test('nobody there, and nobody who answers in time, is said in one line', async () => {
  await assert.rejects(new MatriarchClient('http://127.0.0.1:1').status(), UnreachableError)
  const agent = fakeAgent(statusOf())
  agent.look = () => new Promise(() => {})
  await withClient((client) => assert.rejects(client.status({ timeoutMs: 50 }), /no answer within 50 ms/), agent)
  assert.throws(() => new MatriarchClient('ftp://x'), TypeError)
})

test('what openapi.yaml describes is what the types say: requests are checked by the compiler', () =>
  withClient(async (client) => {
    const request: ReinitializeRequest = { force: true, from_leader: true }
    // @ts-expect-error: no such property
    const wrong: ReinitializeRequest = { 'from-leader': true }
    assert.ok(request.from_leader && wrong)
    const status: MemberStatus = await client.status()
    const row: TopologyMember | undefined = (await client.cluster()).members[0]
    const lag: number | 'unknown' | undefined = row?.lag
    // @ts-expect-error: a time stamp is no number
    const started: number | undefined = status.postmaster_start_time
    assert.equal(typeof started, 'string')
    assert.equal(lag, undefined)
  }))
