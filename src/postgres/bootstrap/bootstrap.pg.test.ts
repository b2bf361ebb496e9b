import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TestMember } from '../../../test/support/member.ts'
import { Herd, until } from '../../../test/support/pair.ts'
import { leaveRoot, postgresBinDir } from '../../../test/support/postgres.ts'
import { exists } from '../files.ts'

const never = new AbortController().signal
const herd = new Herd()
let scripts: string
let source: TestMember

before(async () => {
  await leaveRoot()
  scripts = await mkdtemp('/tmp/mt-bootstrap-')
  source = await herd.primary('source', { parameters: { max_connections: 140 } })
})
after(async () => {
  await herd.removeAll()
  await rm(scripts, { recursive: true, force: true })
})

/** A script that restores a backup, here: takes one of the running source. */
async function restore(): Promise<string> {
  const path = join(scripts, 'restore')
  const socket = join(source.root, 'socket')
  await writeFile(
    path,
    `#!/bin/sh
for a in "$@"; do echo "$a"; done > ${scripts}/seen
for a in "$@"; do case $a in --datadir=*) D=\${a#--datadir=};; esac; done
exec ${await postgresBinDir()}/pg_basebackup -D "$D" -h ${socket} -p ${source.port} -U postgres -c fast --no-sync
`,
    { mode: 0o755 },
  )
  return path
}

test('4.2 to 4.4 a custom bootstrap restores, recovers, promotes, and ends with the configured users and rules', async () => {
  const member = await herd.member('node-1', {
    postgresql: { superuser: { username: 'postgres', password: 'another one', options: {} } },
    bootstrap: {
      method: 'restore',
      custom: {
        command: await restore(),
        keep: 'this',
        recovery_conf: {
          restore_command: 'false',
          recovery_target_action: 'promote',
          recovery_target_timeline: 'latest',
          recovery_target: 'immediate',
        },
      },
    },
  })
  assert.ok(await member.bootstrap.bootstrap(never), member.log.lines.join('\n'))
  assert.deepEqual((await readFile(join(scripts, 'seen'), 'utf8')).trim().split('\n'), [
    '--scope=demo',
    `--datadir=${member.dataDir}`,
    '--keep=this',
  ])
  assert.match(await readFile(join(member.dataDir, 'pg_hba.conf'), 'utf8'), /local\treplication\treplicator\t\ttrust/)
  const recovered = async () => {
    member.server.forgetObservation()
    const seen = await member.server.observe(never)
    return seen.kind === 'observed' && !seen.observation.inRecovery
  }
  await until(recovered, 'the end of recovery')
  member.tools.memory.setRole('primary')
  assert.ok(await member.bootstrap.postBootstrap(never), member.log.lines.join('\n'))
  assert.match(await readFile(join(member.dataDir, 'pg_hba.conf'), 'utf8'), /scram-sha-256/)
  assert.ok(!(await exists(join(member.dataDir, 'recovery.signal'))))
  // it had to start with what its source had; the restart at the end brought its own
  assert.equal(await member.ask('SHOW max_connections'), '100')
  assert.equal(await member.ask('SHOW hot_standby'), 'on')
  assert.doesNotMatch(await readFile(join(member.dataDir, 'postgresql.conf'), 'utf8'), /recovery_target/)
})

test('4.1 a forbidden option, or an initdb that fails, ends the bootstrap with a state that says so', async () => {
  for (const initdb of [['nosync'], [{ encoding: 'nonsense' }]]) {
    const member = await herd.member('node-2', { bootstrap: { initdb } })
    assert.equal(await member.bootstrap.bootstrap(never), false)
    assert.equal(member.tools.memory.state, 'initdb failed')
  }
})

test('4.2 a script that fails ends the bootstrap', async () => {
  const member = await herd.member('node-3', { bootstrap: { method: 'x', custom: { command: "sh -c 'exit 5'" } } })
  assert.equal(await member.bootstrap.bootstrap(never), false)
  assert.equal(member.tools.memory.state, 'custom bootstrap failed')
})

test('4.4 a post_bootstrap script that fails keeps the cluster closed', async () => {
  const member = await herd.member('node-4', { bootstrap: { postBootstrap: 'false' } })
  assert.ok(await member.bootstrap.bootstrap(never))
  member.tools.memory.setRole('primary')
  assert.equal(await member.bootstrap.postBootstrap(never), false)
  assert.ok(member.log.lines.includes('ERROR post_init script false returned non-zero code 1'))
})

test('2.6 lines of bootstrap.pg_hba are appended where nothing else decides about the file', async () => {
  const member = await herd.member('node-5', {
    postgresql: { pgHba: null },
    bootstrap: { pgHba: ['host all all 10.0.0.0/8 reject'], initdb: ['no-sync', { auth: 'trust' }] },
  })
  assert.ok(await member.bootstrap.bootstrap(never))
  const text = await readFile(join(member.dataDir, 'pg_hba.conf'), 'utf8')
  assert.match(text, /\nhost all all 10\.0\.0\.0\/8 reject\n$/)
  assert.match(text, /^# PostgreSQL Client Authentication/)
})
