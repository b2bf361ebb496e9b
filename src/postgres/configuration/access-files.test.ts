import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../../config/types.ts'
import { isForeign, managedLines, trustLines } from './access-files.ts'
import { parametersFrom } from './parameters.ts'

function config(postgresql: object = {}): Config {
  const users = { superuser: { username: 'postgres' }, replication: { username: 'standby' } }
  return {
    postgresql: { ...users, configDir: '/conf', pgHba: null, pgIdent: null, ...postgresql },
  } as unknown as Config
}

const LOCAL = ['local\treplication\tstandby\t\ttrust', 'local\tall\tpostgres\t\ttrust']

test('4.3 while the passwords of a restored cluster are not known, this host alone is trusted: each address by itself', async () => {
  const at = (host: string): Promise<string[]> => {
    const address = { host, port: '5432' }
    return trustLines(config(), { superuser: address, replication: address, tcp: address })
  }
  assert.deepEqual(await at('/run/postgresql'), LOCAL)
  assert.deepEqual(await at('127.0.0.1'), [
    ...LOCAL,
    'host\treplication\tstandby\t127.0.0.1/32\ttrust',
    'host\tall\tpostgres\t127.0.0.1/32\ttrust',
  ])
  assert.deepEqual((await at('::1')).slice(2), [
    'host\treplication\tstandby\t::1/128\ttrust',
    'host\tall\tpostgres\t::1/128\ttrust',
  ])
})

test('4.3 without a configured superuser anybody on this host is trusted for so long', async () => {
  const address = { host: '/run', port: '5432' }
  const nobody = config({ superuser: { username: null } })
  const [, all] = await trustLines(nobody, { superuser: address, replication: address, tcp: address })
  assert.equal(all, 'local\tall\tall\t\ttrust')
})

test('2.6 a file that the configuration places elsewhere is not ours to write', () => {
  const lines = ['local all all trust']
  const own = config({ pgHba: lines })
  assert.deepEqual(managedLines('pg_hba.conf', own, new Map()), lines)
  assert.deepEqual(managedLines('pg_hba.conf', own, parametersFrom({ hba_file: '/conf/pg_hba.conf' })), lines)
  assert.equal(managedLines('pg_hba.conf', own, parametersFrom({ hba_file: '/etc/pg_hba.conf' })), null)
  assert.equal(managedLines('pg_ident.conf', own, new Map()), null)
  assert.equal(isForeign('pg_ident.conf', own, parametersFrom({ ident_file: '/etc/pg_ident.conf' })), true)
})
