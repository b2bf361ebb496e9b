import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Instant } from '../../cluster/time.ts'
import { parseCommand } from './check-command.ts'
import { type Branch, type Command, printCommand, type Result } from './command.ts'
import { KeyValues } from './key-values.ts'
import { LeaseClock } from './lease-clock.ts'

/** A state machine with a log that grows by one entry a call, and one session. */
class Machine {
  kvs = new KeyValues()
  #request = 0
  readonly session: number

  constructor() {
    this.session = this.open()
  }

  open(): number {
    const result = this.apply({ kind: 'open' })
    return result?.kind === 'opened' ? result.session : -1
  }

  apply(command: Command) {
    return this.kvs.apply(this.kvs.index + 1, printCommand(command))
  }

  transaction(branches: readonly Branch[], request = ++this.#request, session = this.session): Command {
    return { kind: 'transaction', session, request, answeredBelow: 0, transaction: { branches } }
  }

  run(...branches: readonly Branch[]) {
    return this.apply(this.transaction(branches))
  }
}

const put = (key: string, value: string, lease: string | null = null) => ({ kind: 'put', key, value, lease }) as const

test('the first branch whose conditions hold is carried out', () => {
  const machine = new Machine()
  const create = { conditions: [{ kind: 'absent', key: 'k' }], changes: [put('k', 'new')] } as const
  const replace = { conditions: [{ kind: 'value', key: 'k', value: 'new' }], changes: [put('k', 'old')] } as const
  assert.deepEqual(machine.run(create, replace), { kind: 'carried-out', branch: 0, version: 2 })
  assert.deepEqual(machine.run(create, replace), { kind: 'carried-out', branch: 1, version: 3 })
  assert.deepEqual(machine.run(create, replace), { kind: 'carried-out', branch: null, version: 4 })
  assert.deepEqual(machine.kvs.get('k'), { key: 'k', value: 'old', version: 3, lease: null })
})

test('a version serves for compare-and-set until the value is written again', () => {
  const machine = new Machine()
  machine.run({ conditions: [], changes: [put('k', '1')] })
  const version = machine.kvs.get('k')?.version ?? 0
  const change = { conditions: [{ kind: 'version', key: 'k', version }], changes: [put('k', '2')] } as const
  machine.run({ conditions: [], changes: [{ kind: 'bind', key: 'k', lease: 'l' }] })
  assert.equal((machine.run(change) as { branch: number | null }).branch, 0, 'another lease is no other value')
  assert.equal((machine.run(change) as { branch: number | null }).branch, null)
})

test('a request that is sent twice is carried out once, and answered equally', () => {
  const machine = new Machine()
  const create = machine.transaction([{ conditions: [{ kind: 'absent', key: 'k' }], changes: [put('k', 'v')] }])
  const first = machine.apply(create)
  machine.run({ conditions: [], changes: [{ kind: 'delete', key: 'k' }] })
  assert.deepEqual(machine.apply(create), first)
  assert.equal(machine.kvs.get('k'), null)
})

test('a request of an unknown session, or one that was answered long ago, does nothing', () => {
  const machine = new Machine()
  const branches = [{ conditions: [], changes: [put('k', 'v')] }]
  assert.deepEqual(machine.apply(machine.transaction(branches, 1, 999)), { kind: 'no-session' })
  machine.apply({ ...machine.transaction([], 7), answeredBelow: 7 } as Command)
  assert.deepEqual(machine.apply(machine.transaction(branches, 3)), { kind: 'no-session' })
  assert.equal(machine.kvs.get('k'), null)
})

test('sessions that nobody uses make room for new ones; those in use stay', () => {
  const machine = new Machine()
  const idle = machine.open()
  for (let i = 0; i < 300; i += 1) {
    machine.open()
    machine.run()
  }
  assert.equal(machine.apply(machine.transaction([], 1, idle))?.kind, 'no-session')
  assert.equal(machine.run()?.kind, 'carried-out')
})

test('what lives on a lease goes with it, unless it was renewed after the leader looked', () => {
  const machine = new Machine()
  const lease = { kind: 'lease', lease: 'l', ttlMs: 1000 } as const
  machine.run({ conditions: [], changes: [lease, put('a', '1', 'l'), put('b', '2', 'l'), put('c', '3')] })
  const renewal = machine.kvs.leases.get('l')?.renewal ?? 0
  machine.run({ conditions: [], changes: [lease] })
  machine.apply({ kind: 'expire', lease: 'l', renewal })
  assert.equal(machine.kvs.withPrefix('').length, 3)
  machine.apply({ kind: 'expire', lease: 'l', renewal: machine.kvs.leases.get('l')?.renewal ?? 0 })
  assert.deepEqual(
    machine.kvs.withPrefix('').map(({ key }) => key),
    ['c'],
  )
})

test('a watch is resumed from an entry, or told that it came too late', () => {
  const machine = new Machine()
  const from = machine.kvs.index
  machine.run({ conditions: [], changes: [put('k', '1'), { kind: 'delete', key: 'nothing' }] })
  machine.run({ conditions: [], changes: [{ kind: 'delete-prefix', prefix: 'k' }] })
  const changes = machine.kvs.changesAfter(from) ?? []
  assert.deepEqual(
    changes.map(({ before, after }) => [before?.value, after?.value]),
    [
      [undefined, '1'],
      ['1', undefined],
    ],
  )
  for (let i = 0; i < 3000; i += 1) machine.run({ conditions: [], changes: [put('k', `${i}`)] })
  assert.equal(machine.kvs.changesAfter(from), null)
  assert.equal(machine.kvs.changesAfter(machine.kvs.index - 5)?.length, 5)
  assert.equal(new KeyValues(machine.kvs.image(), machine.kvs.index).changesAfter(from), null)
})

test('a lease ends a full term after this member heard of its last renewal, and never before', () => {
  const clock = new LeaseClock()
  const at = (ms: number) => ms as Instant
  const leases = new Map([['l', { ttlMs: 1000, renewal: 1 }]])
  clock.look(leases, at(0))
  clock.look(leases, at(900))
  assert.deepEqual(clock.due(at(999)), [])
  assert.deepEqual(clock.due(at(1000)), [{ lease: 'l', renewal: 1 }])
  leases.set('l', { ttlMs: 1000, renewal: 5 })
  clock.look(leases, at(1001))
  assert.deepEqual(clock.due(at(2000)), [])
  clock.reset()
  clock.look(leases, at(1900))
  assert.deepEqual(clock.due(at(2899)), [])
  clock.look(new Map(), at(2900))
  assert.deepEqual(clock.due(at(9999)), [])
})

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { noNullPrototype: true })
const key = fc.constantFrom('a', 'b', 'ab')
const lease = fc.constantFrom('l', 'm')
const change = fc.oneof(
  record({ kind: fc.constant('put' as const), key, value: fc.string(), lease: fc.option(lease) }),
  record({ kind: fc.constant('bind' as const), key, lease }),
  record({ kind: fc.constant('delete' as const), key }),
  record({ kind: fc.constant('delete-prefix' as const), prefix: key }),
  record({ kind: fc.constant('lease' as const), lease, ttlMs: fc.integer({ min: 1, max: 9 }) }),
)
const condition = fc.oneof(
  record({ kind: fc.constant('absent' as const), key }),
  record({ kind: fc.constant('version' as const), key, version: fc.nat(20) }),
  record({ kind: fc.constant('value' as const), key, value: fc.string() }),
)
const branch = record({
  conditions: fc.array(condition, { maxLength: 2 }),
  changes: fc.array(change, { maxLength: 3 }),
})

test('a state restored from its image goes on exactly as the original', () => {
  const requests = fc.array(fc.tuple(fc.array(branch, { maxLength: 2 }), fc.nat(8)), { maxLength: 30 })
  fc.assert(
    fc.property(requests, fc.nat(30), (list, cut) => {
      const machine = new Machine()
      let copy: KeyValues | null = null
      for (const [i, [branches, request]] of list.entries()) {
        if (i === cut) copy = new KeyValues(machine.kvs.image(), machine.kvs.index)
        const command = machine.transaction(branches, request)
        const mirrored: Result | null | undefined = copy?.apply(machine.kvs.index + 1, printCommand(command))
        const result = machine.apply(command)
        if (copy) assert.deepEqual(mirrored, result)
      }
      if (copy) assert.equal(copy.image(), machine.kvs.image())
    }),
  )
})

test('commands from the network are read back as they were, and anything else is refused', () => {
  fc.assert(
    fc.property(fc.array(branch, { maxLength: 3 }), fc.nat(), (branches, request) => {
      const command = new Machine().transaction(branches, request)
      assert.deepEqual(parseCommand(JSON.parse(printCommand(command))), command)
    }),
  )
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      const parsed = parseCommand(json as never)
      assert.ok(parsed === null || parsed.kind === 'open')
    }),
  )
  assert.equal(parseCommand({ kind: 'expire', lease: 'l', renewal: 1 }), null, 'only the leader ends leases')
})
