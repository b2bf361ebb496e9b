import assert from 'node:assert/strict'
import { after, before, mock, test } from 'node:test'
import { newMember, type TestMember } from '../../../test/support/member.ts'
import { leaveRoot } from '../../../test/support/postgres.ts'
import type { JsonObject } from '../../cluster/json.ts'
import { parseLsn } from '../../cluster/lsn.ts'
import { type Member, memberDataFrom } from '../../cluster/member.ts'
import { clusterSettings, DEFAULT_TIMING } from '../../cluster/settings.ts'
import { NO_STATUS } from '../../cluster/status.ts'
import { version } from '../../cluster/stored.ts'
import { type ClusterView, EMPTY_VIEW } from '../../cluster/view.ts'

const never = new AbortController().signal
const PARAMETERS = { wal_level: 'logical' }
let first: TestMember
let second: TestMember

function seen(one: TestMember, role: string, more: JsonObject = {}): Member {
  const conn_url = `postgres://127.0.0.1:${one.port}/postgres`
  const data = memberDataFrom({ conn_url, state: 'running', role, version: '4.1.0', ...more })
  return { name: one.name, version: version('1'), session: null, data }
}

function absent(name: string, more: JsonObject = {}): Member {
  return { name, version: version('1'), session: null, data: memberDataFrom({ version: '4.1.0', ...more }) }
}

function view(members: readonly Member[], slots: Record<string, number> = {}): ClusterView {
  return {
    ...EMPTY_VIEW,
    leader: { name: 'node-1', version: version('1'), session: null },
    members,
    status: { ...NO_STATUS, slots: slots as never, retainSlots: [] },
  }
}

const settings = (document: JsonObject = {}) => clusterSettings(document, DEFAULT_TIMING)
const names = (one: TestMember) =>
  one.ask(`SELECT string_agg(slot_name::text, ',' ORDER BY slot_name) FROM pg_replication_slots`)

async function sync(one: TestMember, of: ClusterView, document: JsonObject = {}): Promise<readonly string[]> {
  one.server.forgetObservation()
  return one.slots.sync(of, settings(document), never)
}

async function until(holds: () => Promise<boolean>, what: string, limitMs = 15_000): Promise<void> {
  const since = performance.now()
  while (!(await holds())) {
    if (performance.now() - since > limitMs) assert.fail(`not within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

before(async () => {
  await leaveRoot()
  first = await newMember('node-1', { parameters: PARAMETERS })
  second = await newMember('node-2', { parameters: PARAMETERS })
  assert.ok(await first.bootstrap.bootstrap(never), first.log.lines.join('\n'))
  first.tools.memory.setRole('primary')
  assert.ok(await first.bootstrap.postBootstrap(never), first.log.lines.join('\n'))
  await sync(first, view([seen(first, 'primary'), absent('node-2')]))
  assert.ok(await second.clone.clone({ source: first.upstream }, never))
  const request = { upstream: first.upstream, role: 'replica', timeoutMs: null, reload: false } as const
  assert.equal(await second.server.follow(request, never), 'running')
  second.tools.memory.setRole('replica')
})

after(async () => {
  for (const one of [second, first]) await one?.remove()
})

test('7.2 and 7.4 the leader keeps a slot for each member and drops what nobody wants, and then asks nothing more', async () => {
  await first.ask(`SELECT pg_create_physical_replication_slot('stray', true)`)
  const of = view([seen(first, 'primary'), seen(second, 'replica'), absent('node-3')])
  assert.equal(await names(first), 'node_2,stray')
  await sync(first, of)
  assert.equal(await names(first), 'node_2,node_3')
  assert.ok(first.log.lines.includes("INFO Trying to drop unknown replication slot 'stray'"))
  assert.ok(first.log.lines.includes("INFO Dropped replication slot 'stray'"))
  first.server.forgetObservation()
  await first.server.observe(never)
  const asked = mock.method(first.server.sql, 'query')
  await first.slots.sync(of, settings(), never)
  assert.equal(asked.mock.callCount(), 0)
  asked.mock.restore()
})

test('7.4 a slot in use is left alone and complained about once', async () => {
  const active = `SELECT active FROM pg_replication_slots WHERE slot_name = 'node_2'`
  await until(async () => (await first.ask(active)) === true, 'it streams')
  const of = view([seen(first, 'primary'), absent('node-3')])
  const before = first.log.lines.length
  await sync(first, of)
  await sync(first, of)
  assert.equal(await names(first), 'node_2,node_3')
  const said = first.log.lines.slice(before).filter((line) => line.includes('slot is active'))
  assert.deepEqual(said, ["ERROR Unable to drop replication slot 'node_2', slot is active"])
})

test('7.4 in pause nothing unknown is dropped, and ignored slots never are', async () => {
  await first.ask(`SELECT pg_create_physical_replication_slot('mine', true)`)
  const of = view([seen(first, 'primary'), seen(second, 'replica'), absent('node-3')])
  await sync(first, of, { pause: true })
  assert.equal(await names(first), 'mine,node_2,node_3')
  await sync(first, of, { ignore_slots: [{ name: 'mine', type: 'physical' }] })
  assert.equal(await names(first), 'mine,node_2,node_3')
  await sync(first, of)
  assert.equal(await names(first), 'node_2,node_3')
})

test('7.4 a replica keeps the slots of its peers and advances them by what the leader publishes', async () => {
  await first.ask('CREATE TABLE public.t (i int)')
  const members = [seen(first, 'primary'), seen(second, 'replica'), absent('node-3')]
  await sync(second, view(members))
  // not its own, and none for the leader's absence: it would be needed after a switchover
  assert.equal(await names(second), 'node_1,node_3')
  await first.ask('INSERT INTO public.t SELECT generate_series(1, 1000)')
  const position = parseLsn(await first.ask('SELECT pg_current_wal_flush_lsn()::text')) ?? 0
  const reached = async () => (parseLsn(await second.ask('SELECT pg_last_wal_replay_lsn()::text')) ?? 0) >= position
  await until(reached, 'it has replayed')
  await sync(second, view(members, { node_3: position, node_1: position + 10_000_000 }))
  assert.equal(
    parseLsn(await second.ask(`SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = 'node_3'`)),
    position,
  )
  const own = parseLsn(
    await second.ask(`SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = 'node_1'`),
  )
  assert.ok(own !== null && own >= position, 'no further than its own WAL, and no error')
  assert.ok(!second.log.lines.some((line) => line.startsWith('ERROR')), second.log.lines.join('\n'))
})

test('7.5 to 7.7 a permanent logical slot is made on the primary, copied, advanced, and safe once horizons have met', async () => {
  const document = { slots: { changes: { type: 'logical', database: 'postgres', plugin: 'test_decoding' } } }
  const members = [seen(first, 'primary'), seen(second, 'replica'), absent('node-3')]
  const published = async () => {
    const text = await first.ask(
      `SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = 'changes'`,
    )
    return { changes: parseLsn(text) ?? 0 }
  }
  await sync(first, view(members), document)
  assert.equal(await names(first), 'changes,node_2,node_3')
  assert.deepEqual(await sync(second, view(members), document), [], 'nothing is published yet')
  await until(async () => (await second.ask('SHOW hot_standby_feedback')) === 'on', 'feedback is on')
  const leader = members[0] as Member
  assert.deepEqual(await sync(second, view(members, await published()), document), ['changes'])
  assert.ok(await second.slots.copyLogical(['changes'], leader, never), second.log.lines.join('\n'))
  second.server.forgetObservation()
  assert.equal(await names(second), 'changes,node_1,node_3')

  await first.ask('INSERT INTO public.t SELECT generate_series(1, 1000)')
  await first.ask(`SELECT count(*) FROM pg_logical_slot_get_changes('changes', NULL, NULL)`)
  const target = (await published()).changes
  const advanced = async () => {
    await sync(second, view(members, await published()), document)
    const text = await second.ask(
      `SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = 'changes'`,
    )
    return (parseLsn(text) ?? 0) >= target
  }
  await until(advanced, 'the copy was advanced')
  const safe = async () => {
    await first.ask('SELECT txid_current()')
    await first.ask(`SELECT count(*) FROM pg_logical_slot_get_changes('changes', NULL, NULL)`)
    await sync(second, view(members, await published()), document)
    return second.log.lines.includes('INFO Logical slot changes is safe to be used after a failover')
  }
  await until(safe, 'the copy is safe', 40_000)
})
