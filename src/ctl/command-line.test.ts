import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ORDERS, testWorld } from './testing/world.ts'

process.env['TZ'] = 'UTC'

const ROLES = "'leader', 'primary', 'standby-leader', 'replica', 'standby', 'any'"

const USAGE_ERRORS: readonly (readonly [readonly string[], string])[] = [
  [['reload'], "Missing argument 'CLUSTER_NAME'."],
  [['list', '--foo'], 'No such option: --foo'],
  [['list', '--foo=1'], 'No such option: --foo'],
  [['list', '-ex'], 'No such option: -x'],
  // Global options stand before the command.
  [['list', '-c', 'x'], 'No such option: -c'],
  [['pause', '--wai'], 'No such option: --wai'],
  [['pause', '--wait=yes'], "Option '--wait' does not take a value."],
  [['switchover', '--candidate'], "Option '--candidate' requires an argument."],
  [['pause', 'a', 'b'], 'Got unexpected extra argument (b)'],
  [['pause', 'a', 'b', 'c'], 'Got unexpected extra arguments (b c)'],
  [['reload', 'orders', '-r', 'x'], `Invalid value for '--role' / '-r': 'x' is not one of ${ROLES}.`],
  [['reload', 'orders', '-r', 'Replica'], `Invalid value for '--role' / '-r': 'Replica' is not one of ${ROLES}.`],
  [['list', '--watch', 'x'], "Invalid value for '-w' / '--watch': 'x' is not a valid float."],
  [['demote-cluster', '--port', 'x'], "Invalid value for '--port': 'x' is not a valid integer."],
  [
    ['list', '-f', 'xml'],
    "Invalid value for '-f' / '--format': 'xml' is not one of 'pretty', 'tsv', 'json', 'yaml', 'yml'.",
  ],
  [['flush', 'orders'], "Missing argument '{restart|switchover}'."],
  [
    ['flush', 'orders', 'db1'],
    "Invalid value for '{restart|switchover}': 'db1' is not one of 'restart', 'switchover'.",
  ],
]

for (const [argv, message] of USAGE_ERRORS) {
  test(`1.2 usage error of ${argv.join(' ')}`, async () => {
    const { code, out, err } = await testWorld({ orders: ORDERS }).run(...argv)
    assert.match(
      err,
      new RegExp(
        `^Usage: patronictl ${argv[0]} \\[OPTIONS\\].*\\nTry 'patronictl ${argv[0]} --help' for help.\\n\\nError: `,
      ),
    )
    assert.equal(err.slice(err.indexOf('Error: ')), `Error: ${message}\n`)
    assert.deepEqual([code, out], [2, ''])
  })
}

test('1.2 an unknown command is rejected before the configuration is looked at', async () => {
  const { code, err } = await testWorld({}).run('-c', '/missing', 'members')
  assert.equal(
    err,
    "Usage: patronictl [OPTIONS] COMMAND [ARGS]...\nTry 'patronictl --help' for help.\n\nError: No such command 'members'.\n",
  )
  assert.equal(code, 2)
})

test('1.1 the configuration is read before the arguments of the command', async () => {
  const message =
    'Error: Provided config file /missing not existing or no read rights. Check the -c/--config-file parameter\n'
  for (const argv of [['list', '--help'], ['version'], ['list', '--foo']])
    assert.deepEqual(await testWorld({}).run('-c', '/missing', ...argv), { code: 1, out: '', err: message })
  const world = testWorld({})
  world.env = { PATRONICTL_CONFIG_FILE: '/missing' }
  assert.equal((await world.run('list')).err, message)
  world.env = { PATRONICTL_CONFIG_FILE: '' }
  assert.equal((await world.run('version')).code, 0)
})

test('1.1 help needs no configuration; no command at all is help', async () => {
  const { code, out } = await testWorld({}).run('-c', '/missing', '--help')
  assert.equal(code, 0)
  assert.match(out, /^Usage: patronictl \[OPTIONS\] COMMAND \[ARGS\]\.\.\.\n/)
  for (const name of 'demote-cluster dsn edit-config failover flush history list pause promote-cluster query reinit reload remove restart resume show-config switchover topology version'.split(
    ' ',
  ))
    assert.match(out, new RegExp(`\\n  ${name}  `))
  assert.equal((await testWorld({}).run()).out, out)
  const { out: help } = await testWorld({}).run('switchover', '--help')
  assert.match(help, /^Usage: patronictl switchover \[OPTIONS\] \[CLUSTER_NAME\]\n/)
  assert.match(help, /\n {2}--leader, --primary TEXT +The name of the current leader\n/)
})

test('1.1 options and names in any order, joined, repeated, after --', async () => {
  const world = testWorld({ orders: ORDERS, '-x': ORDERS })
  const json = async (...argv: string[]) => (await world.run('list', ...argv)).out
  const expected = await json('--format', 'json', 'orders')
  assert.equal(await json('orders', '-fjson'), expected)
  assert.equal(await json('--format=json'), expected)
  assert.equal(await json('-f', 'pretty', 'orders', '-f', 'json'), expected)
  assert.equal(await json('-etfjson'), `2030-05-01 10:14:36\n${expected}`)
  assert.match(await json('-fjson', '--', '-x'), /^\[\{"Cluster": "-x"/)
})
