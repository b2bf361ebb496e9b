import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AccessRules, accessDenial, clientAddress } from './access.ts'
import { Allowlist, hostOf } from './allowlist.ts'
import { denial } from './guard.ts'
import { ManualClock, settle } from './testing/clocks.ts'
import { HEALTHY_KEYS, keptLog, restConfig, statusOf, viewOf } from './testing/fake-agent.ts'

const OPEN: AccessRules = { addresses: null, needsCertificate: false, credentials: null }
const LOCKED: AccessRules = {
  addresses: { has: (address) => address === '10.0.0.1' },
  needsCertificate: true,
  credentials: { username: 'admin', password: 's3crét' },
}
const RIGHT = `Basic ${Buffer.from('admin:s3crét').toString('base64')}`
const NEAR = { address: '10.0.0.1', hasCertificate: true }

const CASES: readonly (readonly [title: string, client: typeof NEAR, header: string | undefined, answer: string])[] = [
  ['address first', { address: '10.0.0.2', hasCertificate: false }, undefined, '403 Access is denied'],
  ['certificate second', { ...NEAR, hasCertificate: false }, undefined, '403 client certificate required'],
  ['no header', NEAR, undefined, '401 no auth header received'],
  ['empty header', NEAR, '', '401 not authenticated'],
  ['wrong password', NEAR, `Basic ${Buffer.from('admin:secret').toString('base64')}`, '401 not authenticated'],
  ['scheme in another case', NEAR, RIGHT.replace('Basic', 'basic'), '401 not authenticated'],
  ['two blanks', NEAR, RIGHT.replace(' ', '  '), '401 not authenticated'],
  ['without padding', NEAR, RIGHT.replace(/=+$/, ''), '401 not authenticated'],
  ['more than the header', NEAR, `${RIGHT} `, '401 not authenticated'],
  ['all right', NEAR, RIGHT, 'may'],
]
describe('4 access control', () => {
  for (const [title, client, header, answer] of CASES)
    test(`${title}: ${answer}`, () => {
      const denied = accessDenial(client, header, LOCKED)
      assert.equal(denied ? `${denied.status} ${denied.body}` : 'may', answer)
      const challenge = denied?.status === 401 ? [['WWW-Authenticate', 'Basic realm="Patroni"']] : []
      assert.deepEqual(denied?.headers ?? [], challenge)
    })

  test('where nothing is configured everybody may', () => {
    assert.equal(accessDenial({ address: 'x', hasCertificate: false }, undefined, OPEN), null)
  })

  test('21.5 an IPv4 client of a dual-stack socket has its IPv4 address', () => {
    assert.equal(clientAddress('::ffff:10.0.0.1'), '10.0.0.1')
    assert.equal(clientAddress('::FFFF:10.0.0.1'), '10.0.0.1')
    assert.equal(clientAddress('2001:db8::1'), '2001:db8::1')
    assert.equal(clientAddress(undefined), '')
  })
})

function names(table: Record<string, string[]>) {
  return {
    addresses: async (name: string) => {
      const found = table[name]
      if (!found) throw new Error('ENOTFOUND')
      return found.map((address) => ({ address }))
    },
  }
}

async function allowlist(list: readonly string[], table: Record<string, string[]> = {}) {
  const log = keptLog()
  const made = new Allowlist(names(table), new ManualClock(), log)
  await made.configure(list)
  return { made, log }
}

const ENTRIES: readonly (readonly [entry: string, inside: string[], outside: string[]])[] = [
  ['10.0.0.1', ['10.0.0.1'], ['10.0.0.2', '::1']],
  ['10.1.2.3/16', ['10.1.0.0', '10.1.255.255'], ['10.2.0.0']],
  ['0.0.0.0/0', ['1.2.3.4'], ['::1']],
  ['2001:db8::/32', ['2001:db8::5'], ['2001:db9::5', '10.0.0.1']],
  ['::1', ['::1', '0:0:0:0:0:0:0:1'], ['::2']],
  ['[::1]', ['::1'], ['::2']],
  ['db.example', ['10.5.0.1', '2001:db8::7'], ['10.5.0.2']],
]
describe('4 address filter', () => {
  for (const [entry, inside, outside] of ENTRIES)
    test(entry, async () => {
      const { made } = await allowlist([entry], { 'db.example': ['10.5.0.1', '2001:db8::7'] })
      const filter = await made.allowed([])
      for (const address of inside) assert.equal(filter.has(address), true, address)
      for (const address of [...outside, '', 'nonsense']) assert.equal(filter.has(address), false, address)
    })

  test('bad entries are reported and skipped; a list of nothing else lets nobody in', async () => {
    const { made, log } = await allowlist(['10.0.0.0/33', 'x/8', '10.0.0.0/', '', 'gone.example'])
    assert.deepEqual(log.lines, [
      'ERROR: Invalid value "10.0.0.0/33" in the allowlist',
      'ERROR: Invalid value "x/8" in the allowlist',
      'ERROR: Invalid value "10.0.0.0/" in the allowlist',
      'ERROR: Invalid value "" in the allowlist',
      'ERROR: Failed to resolve gone.example',
    ])
    assert.equal(made.isConfigured, true)
    assert.equal((await made.allowed([])).has('10.0.0.1'), false)
  })

  test('a name server that hangs does not hold up a request for ever', async () => {
    const clock = new ManualClock()
    const made = new Allowlist({ addresses: () => new Promise(() => {}) }, clock, keptLog())
    const configured = made.configure(['slow.example', '10.0.0.1'])
    await clock.advance(2_000)
    await configured
    const filter = made.allowed([])
    await clock.advance(2_000)
    assert.equal((await filter).has('10.0.0.1'), true)
    await settle()
  })

  test('the host of a REST URL', () => {
    assert.equal(hostOf('http://10.0.0.1:8008/patroni'), '10.0.0.1')
    assert.equal(hostOf('https://[2001:db8::1]:8008/patroni'), '2001:db8::1')
    assert.equal(hostOf('nonsense'), null)
  })
})

const MEMBERS = viewOf({
  ...HEALTHY_KEYS,
  'members/n2': { api_url: 'http://10.0.0.2:8008/patroni' },
  'members/n3': { api_url: 'http://n3.example:8008/patroni' },
  'members/n4': { api_url: 'rubbish' },
})
type Guard = 'members-of-view' | 'members-of-failsafe'
interface Filtered {
  readonly list: readonly string[]
  readonly includeMembers: boolean
  readonly guard: Guard
  readonly from: string
  readonly may: boolean
  readonly noView?: boolean
}
const V: Guard = 'members-of-view'
const F: Guard = 'members-of-failsafe'
const FILTERED: readonly Filtered[] = [
  { list: [], includeMembers: false, guard: V, from: '9.9.9.9', may: true },
  { list: ['10.9.0.0/16'], includeMembers: false, guard: V, from: '9.9.9.9', may: false },
  { list: ['10.9.0.0/16'], includeMembers: false, guard: V, from: '10.9.1.1', may: true },
  { list: ['10.9.0.0/16'], includeMembers: false, guard: V, from: '10.0.0.2', may: false },
  { list: ['10.9.0.0/16'], includeMembers: true, guard: V, from: '10.0.0.2', may: true },
  { list: [], includeMembers: true, guard: V, from: '10.0.0.2', may: true },
  { list: [], includeMembers: true, guard: V, from: '10.0.0.3', may: true },
  { list: [], includeMembers: true, guard: V, from: '9.9.9.9', may: false },
  { list: [], includeMembers: true, guard: V, from: '10.0.0.2', may: false, noView: true },
  { list: [], includeMembers: true, guard: F, from: '9.9.9.9', may: true },
  { list: ['10.9.0.0/16'], includeMembers: false, guard: F, from: '10.0.0.2', may: false },
  // 21.7: the topology in memory counts, so that a static list does not break failsafe mode.
  { list: ['10.9.0.0/16'], includeMembers: true, guard: F, from: '10.0.0.7', may: true, noView: true },
  { list: ['10.9.0.0/16'], includeMembers: true, guard: F, from: '9.9.9.9', may: false },
]
describe('4 who is filtered where', () => {
  for (const { list, includeMembers, guard, from, may, noView } of FILTERED)
    test(`${guard}, list [${list.join()}], members ${includeMembers}, ${noView ? 'no view, ' : ''}from ${from}: ${may}`, async () => {
      const { made } = await allowlist(list, { 'n3.example': ['10.0.0.3'] })
      const denied = await denial(guard, { address: from, hasCertificate: false }, undefined, {
        config: restConfig({ allowlist: list, allowlistIncludeMembers: includeMembers }),
        allowlist: made,
        status: statusOf({ view: noView ? null : MEMBERS, failsafeTopology: { n7: 'http://10.0.0.7:8008/patroni' } }),
      })
      assert.equal(denied === null, may)
    })

  test('verify_client counts only with TLS', async () => {
    const world = (certfile: string | null, verifyClient: 'none' | 'optional' | 'required') => ({
      config: restConfig({ certfile, verifyClient }),
      allowlist: new Allowlist(names({}), new ManualClock(), keptLog()),
      status: statusOf(),
    })
    const asked = (...args: Parameters<typeof world>) =>
      denial(V, { address: 'x', hasCertificate: false }, undefined, world(...args))
    assert.equal(await asked(null, 'required'), null)
    assert.equal(await asked('x.pem', 'none'), null)
    assert.equal((await asked('x.pem', 'optional'))?.body, 'client certificate required')
    assert.equal((await asked('x.pem', 'required'))?.body, 'client certificate required')
  })
})
