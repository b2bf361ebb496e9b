import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Config } from '../config/types.ts'
import { configuredBinaries } from './binaries.ts'

test('1.1 a program is looked for in bin_dir under its name or the one of bin_name, without bin_dir in PATH', () => {
  const cases: readonly (readonly [binDir: string, binName: Record<string, string>, path: string])[] = [
    ['/usr/lib/postgresql/15/bin', {}, '/usr/lib/postgresql/15/bin/pg_rewind'],
    ['/opt/pg', { pg_rewind: 'rewind-wrapper' }, '/opt/pg/rewind-wrapper'],
    ['', {}, 'pg_rewind'],
    ['', { pg_rewind: 'my_rewind', initdb: 'my_initdb' }, 'my_rewind'],
  ]
  for (const [binDir, binName, path] of cases) {
    const config = { postgresql: { binDir, binName } } as unknown as Config
    assert.equal(configuredBinaries(() => config).path('pg_rewind'), path)
  }
})
