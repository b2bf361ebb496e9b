import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../../cluster/json.ts'
import type { BootstrapConfig, Config, PgUser } from '../../config/types.ts'
import { customArguments, customBootstrapOf, customMethod } from './custom.ts'
import { quoteLiteral, replicaUserStatements, superuserStatements } from './roles.ts'
import { scramSecret } from './scram.ts'

const user = (username: string | null, password: string | null = null): PgUser => ({ username, password, options: {} })

function config(
  users: Partial<Record<'superuser' | 'replication' | 'rewind', PgUser>>,
  bootstrap: Partial<BootstrapConfig> = {},
): Config {
  const postgresql = {
    dataDir: '/pgdata',
    superuser: user(null),
    replication: user('replicator'),
    rewind: null,
    ...users,
  }
  return { scope: 'demo', postgresql, bootstrap: { method: 'initdb', custom: null, ...bootstrap } } as unknown as Config
}

const plain = (password: string): string => password

test('a SCRAM secret is what RFC 5802 makes of password and salt', () => {
  assert.equal(
    scramSecret('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')),
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  )
  assert.equal(scramSecret('pässword'), null, 'it would have to be normalized')
  assert.equal(scramSecret(''), null)
})

test('4.4 the superuser is created or altered only with name and password', () => {
  assert.equal(superuserStatements(config({ superuser: user('postgres') }), plain), null)
  assert.equal(superuserStatements(config({}), plain), null)
  const [statement = ''] = superuserStatements(config({ superuser: user('o"x', "it's \\") }), plain)?.statements ?? []
  assert.match(statement, /ALTER ROLE "o""x" WITH SUPERUSER LOGIN PASSWORD {2}E'it''s \\\\'/)
  assert.match(statement, /synchronous_commit = 'local'/)
})

test('4.4 replicas need a replication user, and from 11 on a rewind user where it is another one', () => {
  const roles = (users: Parameters<typeof config>[0], version: number) =>
    replicaUserStatements(config(users), version, plain).map(({ role, statements }) => `${role} ${statements.length}`)
  assert.deepEqual(roles({}, 150000), ['replicator 1'])
  assert.deepEqual(roles({ rewind: user('rewinder', 'x') }, 150000), ['replicator 1', 'rewinder 5'])
  assert.deepEqual(roles({ rewind: user('rewinder', 'x') }, 100000), ['replicator 1'])
  assert.deepEqual(roles({ superuser: user('a', 'x'), rewind: user('a', 'x') }, 150000), ['replicator 1'])
})

test('literals are right with any characters', () => {
  assert.equal(quoteLiteral("a'b"), "'a''b'")
  assert.equal(quoteLiteral('a\\b'), " E'a\\\\b'")
  const [statement = ''] = superuserStatements(config({ superuser: user('a', '$role$ END') }), plain)?.statements ?? []
  assert.match(statement, /^DO \$rolex\$/)
})

test('4 a custom method needs a section with a command; anything else is initdb', () => {
  const custom = { command: 'x' }
  assert.equal(customMethod(config({}, { method: 'initdb', custom })), null)
  assert.equal(customMethod(config({}, { method: 'pitr', custom: null })), null)
  assert.equal(customMethod(config({}, { method: 'pitr', custom: { other: 1 } })), null)
  assert.equal(customMethod(config({}, { method: 'pitr', custom })), custom)
})

test('4.2 the command gets its own keys after scope and directory, or without them', () => {
  const section: JsonObject = {
    command: 'x',
    b: 1,
    recovery_conf: {},
    scope: 'mine',
    a: true,
    keep_existing_recovery_conf: true,
  }
  assert.deepEqual(customArguments(section, config({})), ['--scope=demo', '--datadir=/pgdata', '--b=1', '--a=True'])
  assert.deepEqual(customArguments({ ...section, no_params: 1 }, config({})), ['--b=1', '--a=True'])
  assert.deepEqual(customBootstrapOf(section), { keepExistingRecoveryConf: true, recoveryConf: null })
  const recoveryConf = customBootstrapOf({ recovery_conf: { restore_command: 'x' } }).recoveryConf
  assert.deepEqual([...(recoveryConf ?? [])], [['restore_command', { name: 'restore_command', value: 'x' }]])
})
