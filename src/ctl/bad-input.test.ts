import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMMANDS } from './commands.ts'
import { answered, ORDERS, type TestWorld, testWorld } from './testing/world.ts'

process.env['TZ'] = 'UTC'

/** A command line of every command that works in a healthy cluster. */
const RIGHT: Readonly<Record<string, readonly string[]>> = {
  completion: ['bash'],
  'demote-cluster': ['orders', '--host', 'h', '--force'],
  dsn: ['orders'],
  'edit-config': ['orders', '-s', 'ttl=25', '--force'],
  failover: ['orders', '--candidate', 'db2', '--force'],
  flush: ['orders', 'restart', '--force'],
  history: ['orders'],
  list: ['orders'],
  pause: ['orders'],
  'promote-cluster': ['orders', '--force'],
  raft: ['status'],
  query: ['orders', '-c', 'select 1', '-r', 'any'],
  reinit: ['orders', 'db2', '--force'],
  reload: ['orders', '--force'],
  remove: ['orders'],
  restart: ['orders', '--force'],
  resume: ['orders'],
  'show-config': ['orders'],
  switchover: ['orders', '--force'],
  topology: ['orders'],
  version: ['orders'],
  why: ['orders'],
}
/** These ask no store for the cluster. */
const WITHOUT_STORE = ['completion', 'raft']

/** These take any number of names. */
const ANY_NUMBER = ['list', 'topology', 'version']

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Neither a stack trace nor the inside of a value reaches an operator. */
function assertTidy({ out, err }: Outcome, title: string): void {
  assert.doesNotMatch(`${out}${err}`, /^\s+at |\[object |undefined|node:internal/m, title)
}

async function run(argv: readonly string[], prepare: (world: TestWorld) => void = () => {}): Promise<Outcome> {
  const world = testWorld({ orders: ORDERS })
  prepare(world)
  const outcome = await world.run(...argv)
  assertTidy(outcome, argv.join(' '))
  return outcome
}

test('the table has every command', () => {
  assert.deepEqual(Object.keys(RIGHT).sort(), Object.keys(COMMANDS).sort())
})

for (const [command, args] of Object.entries(RIGHT)) {
  test(`1.2 ${command}: an unknown option is a usage error with its name`, async () => {
    for (const option of ['--nonsense', '--nonsense=1', '-Z']) {
      const { code, out, err } = await run([command, ...args, option])
      const [usage = '', hint, empty, message, end] = err.split('\n')
      assert.match(usage, new RegExp(`^Usage: patronictl ${command} \\[OPTIONS\\]`))
      assert.equal(hint, `Try 'patronictl ${command} --help' for help.`)
      assert.deepEqual([empty, message, end], ['', `Error: No such option: ${option.split('=')[0]}`, ''])
      assert.deepEqual([code, out], [2, ''])
    }
  })

  if (!ANY_NUMBER.includes(command))
    test(`1.2 ${command}: an argument too many, or one that is missing, is a usage error`, async () => {
      const { code, err } = await run([command, 'a', 'b', 'c', 'd', 'e'])
      assert.ok(code === 2 || code === 1, `${code}`)
      assert.match(err, /^Error: \S.*$/m)
    })

  if (!WITHOUT_STORE.includes(command))
    test(`1.2 ${command}: a store that does not answer is named, in one line`, async () => {
      const { code, err } = await run([command, ...args], (world) => {
        world.storeAnswers = 'unknown'
      })
      const line =
        'Error: etcd3 at 127.0.0.1:2379 did not answer: timed out (does it run, and is the way there open?)\n'
      assert.deepEqual([code, err], [1, line])
    })

  test(`1.2 ${command}: members that can not be reached, or refuse, are told in a line each`, async () => {
    const ways = [
      () => ({ kind: 'not sent', reason: 'https://10.20.0.11:8008: connect ECONNREFUSED' }) as const,
      () => ({ kind: 'not sent', reason: 'https://10.20.0.11:8008: self-signed certificate' }) as const,
      () => ({ kind: 'unknown', reason: 'https://10.20.0.11:8008: timed out' }) as const,
      () => answered(401, 'no auth header received'),
      () => answered(200, 'this is no JSON'),
    ]
    for (const way of ways) {
      const { code, err } = await run([command, ...args], (world) => {
        world.answer = way
        world.input = ['orders', 'Yes I am aware', 'db1']
      })
      assert.ok(code === 0 || code === 1, `${code}`)
      for (const line of err.split('\n').filter((one) => one !== ''))
        assert.match(line, /^(Error: |2030-05-01 10:14:\d\d,\d{3} - (WARNING|ERROR) - )\S/)
    }
  })
}

const ONLY_REST = ['reload', 'restart', 'reinit', 'version', 'why', 'demote-cluster']

for (const command of ONLY_REST)
  test(`2.6 ${command}: what to do about a certificate, a password or a port that is wrong`, async () => {
    const told = async (answer: TestWorld['answer']): Promise<string> => {
      const { out, err } = await run([command, ...(RIGHT[command] ?? [])], (world) => {
        world.answer = answer
      })
      return out + err
    }
    const notSent = (reason: string) => () => ({ kind: 'not sent', reason }) as const
    assert.match(await told(notSent('self-signed certificate')), /self-signed certificate \(set cacert /)
    assert.match(await told(notSent('connect ECONNREFUSED')), /ECONNREFUSED \(nothing listens there: /)
    assert.match(await told(notSent('wrong version number')), /wrong version number \(it does not speak TLS there\)/)
    if (['reload', 'restart', 'reinit'].includes(command))
      assert.match(await told(() => answered(401, 'no auth')), /WARNING - The member wants a name and a password: /)
  })

const DATES = [
  'tomorrow-ish',
  '2030-13-45T10:00',
  '2030-02-30T10:00:00+00:00',
  '25:61',
  'now-1',
  '',
  '2030-05-02T10:00 Mars/Phobos',
]

for (const command of ['switchover', 'restart'])
  for (const date of DATES)
    test(`6 ${command} --scheduled '${date}': refused in one line before anything is asked of a member`, async () => {
      const world = testWorld({ orders: ORDERS })
      const outcome = await world.run(command, 'orders', '--force', '--scheduled', date)
      if (date === '') return
      assertTidy(outcome, date)
      assert.equal(outcome.code, 1)
      assert.match(
        outcome.err,
        /^Error: Unable to parse scheduled timestamp \(.*\)\. It should be in an unambiguous format \(e\.g\. ISO 8601\)\n$/,
      )
      assert.deepEqual(world.sent, [])
    })

test('7 members that do not exist are named', async () => {
  const lines: readonly (readonly [readonly string[], string])[] = [
    [['reload', 'orders', 'nobody', '--force'], "Error: No 'any' among provided members\n"],
    [['restart', 'orders', 'nobody', '--force'], "Error: No 'any' among provided members\n"],
    [['reinit', 'orders', 'nobody', '--force'], 'Error: No replica among provided members\n'],
    [['flush', 'orders', 'nobody', 'restart', '--force'], "Error: No 'any' among provided members\n"],
    [['dsn', 'orders', '-m', 'nobody'], 'Error: Can not find a suitable member\n'],
    [
      ['switchover', 'orders', '--leader', 'nobody', '--force'],
      'Error: Member nobody is not the leader of cluster orders\n',
    ],
    [
      ['switchover', 'orders', '--candidate', 'nobody', '--force'],
      'Error: Member nobody does not exist in cluster orders or is tagged as nofailover\n',
    ],
    [
      ['failover', 'orders', '--candidate', 'nobody', '--force'],
      'Error: Member nobody does not exist in cluster orders or is tagged as nofailover\n',
    ],
  ]
  for (const [argv, line] of lines) {
    const { code, err } = await run(argv)
    assert.deepEqual([code, err], [1, line], argv.join(' '))
  }
})
