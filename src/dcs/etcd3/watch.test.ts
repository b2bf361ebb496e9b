import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HttpStream } from '../../http/client.ts'
import { readMessage, readWatch, watchRequest } from './watch.ts'
import { encode } from './wire.ts'

const header = { cluster_id: '1', revision: '8', raft_term: '2' }

test('3.2 a watch begins right after the revision that was listed', () => {
  assert.deepEqual(watchRequest('/service/b/', '41'), {
    create_request: { key: encode('/service/b/'), range_end: encode('/service/b0'), start_revision: '42' },
  })
})

test('3.2 messages: created, changes, progress, compaction, cancellation, error', () => {
  assert.equal(readMessage({ result: { header, created: true } }).kind, 'created')
  assert.equal(readMessage({ result: { header } }).kind, 'progress')
  assert.deepEqual(
    readMessage({
      result: {
        header,
        events: [
          { kv: { key: encode('/k'), mod_revision: '8', value: encode('v'), lease: '5' } },
          { type: 'DELETE', kv: { key: encode('/d'), mod_revision: '8' } },
        ],
      },
    }),
    {
      kind: 'changes',
      header: { clusterId: '1', revision: '8', raftTerm: 2n },
      changes: [
        { kind: 'put', kv: { key: '/k', value: 'v', modRevision: '8', lease: '5' } },
        { kind: 'delete', key: '/d', modRevision: '8' },
      ],
    },
  )
  const compacted = readMessage({ result: { header, canceled: true, compact_revision: '8' } })
  assert.ok(compacted.kind === 'ended' && compacted.compacted)
  const cancelled = readMessage({
    result: {
      header,
      watch_id: '-1',
      created: true,
      canceled: true,
      cancel_reason: 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
    },
  })
  assert.ok(cancelled.kind === 'ended' && cancelled.error.code === 16 && !cancelled.compacted)
  const failed = readMessage({ error: { grpc_code: 14, http_code: 503, message: 'etcdserver: no leader' } })
  assert.ok(failed.kind === 'ended' && failed.error.code === 14)
})

test('what cannot be read ends the watch: an event that is passed over would be a change that is missed', () => {
  for (const odd of [
    undefined,
    null,
    [],
    'x',
    {},
    { result: 5 },
    { result: { header, events: [{}] } },
    { result: { header, events: ['x'] } },
  ]) {
    assert.equal(readMessage(odd as never).kind, 'ended', JSON.stringify(odd))
  }
})

test('a stream is read to its end, or to the message that ends the watch', async () => {
  const created = JSON.stringify({ result: { header, created: true } })
  const kinds = async (chunks: readonly string[]): Promise<string[]> => {
    const found: string[] = []
    for await (const message of readWatch(stream(chunks))) found.push(message.kind)
    return found
  }
  assert.deepEqual(await kinds([created.slice(0, 10), `${created.slice(10)}\n{"resu`, 'lt":{}}']), [
    'created',
    'progress',
  ])
  assert.deepEqual(await kinds([`${created}{"error":"x"}${created}`]), ['created', 'ended'])
  assert.deepEqual(await kinds([created, '{"result":']), ['created'])
  assert.deepEqual(await kinds(['{"a":}']), ['ended'])
})

function stream(chunks: readonly string[]): HttpStream {
  async function* all(): AsyncGenerator<string> {
    yield* chunks
  }
  return { kind: 'stream', status: 200, headers: {}, chunks: all(), close: () => {} }
}
