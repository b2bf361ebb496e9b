import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isUserBackend } from './postmaster.ts'

const AUXILIARY = [
  'postgres: checkpointer',
  'postgres: demo: checkpointer ',
  'postgres: demo: logger ',
  'postgres: demo: walsender replicator 10.0.0.2(41234) streaming 0/3000060',
  'postgres: demo: walreceiver streaming 0/3000060',
  'postgres: demo: startup recovering 000000010000000000000003',
  'postgres: demo: logical replication launcher',
  'postgres: demo: logical replication apply worker for subscription 16390',
  'postgres: demo: io worker 0',
  'postgres: bgworker: something  ',
  'postgres: archiver process   last was 000000010000000000000003',
]
const USERS = [
  'postgres: demo: app shop 10.0.0.9(40000) idle',
  'postgres: app shop [local] INSERT',
  'postgres: writers shop [local] idle',
]

for (const title of AUXILIARY)
  test(`1.7 '${title}' is none of the users`, () => {
    assert.equal(isUserBackend(title), false)
  })
for (const title of USERS)
  test(`1.7 '${title}' is a user`, () => {
    assert.equal(isUserBackend(title), true)
  })
