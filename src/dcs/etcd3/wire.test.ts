import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Json } from '../../cluster/json.ts'
import {
  decode,
  encode,
  firstDocument,
  following,
  int64,
  isNewer,
  JsonDocuments,
  prefixEnd,
  readHeader,
  readKeyValue,
} from './wire.ts'

const end = (prefix: string): string => Buffer.from(prefixEnd(prefix), 'base64').toString('latin1')

test('3.2 the end of a prefix is its last byte below 0xff plus one', () => {
  assert.equal(end('/service/batman/'), '/service/batman0')
  assert.equal(end('a'), 'b')
  assert.equal(end(''), '\0')
})

test('3.2 64-bit numbers keep every digit', () => {
  assert.equal(int64('9041998779156735493'), '9041998779156735493')
  assert.equal(int64(5), '5')
  for (const odd of [undefined, null, '', 'x', '1.5', 2 ** 63, {}]) assert.equal(int64(odd as Json), '0')
  assert.equal(following('9223372036854775806'), '9223372036854775807')
  assert.ok(isNewer('10', '9') && isNewer('2', '1') && !isNewer('9', '10') && !isNewer('7', '7'))
})

test('3.2 keys and values are UTF-8 in base64; missing fields are empty', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => decode(encode(text)) === text))
  const kv = { key: encode('/s/b/leader'), mod_revision: '8', lease: '9041998779156735493' }
  assert.deepEqual(readKeyValue(kv), { key: '/s/b/leader', value: '', modRevision: '8', lease: '9041998779156735493' })
  assert.equal(readKeyValue({ key: encode('x'), value: encode('y') })?.lease, null)
  for (const odd of [undefined, null, 'x', [], {}, { value: 'eA==' }]) assert.equal(readKeyValue(odd as Json), null)
})

test('3.2 a header with missing or odd fields says nothing', () => {
  assert.deepEqual(readHeader({ header: { cluster_id: '887', revision: '7', raft_term: '2' } }), {
    clusterId: '887',
    revision: '7',
    raftTerm: 2n,
  })
  for (const odd of [{}, { header: 1 }, { header: { raft_term: 'x' } }]) {
    assert.deepEqual(readHeader(odd as never), { clusterId: null, revision: '0', raftTerm: null })
  }
})

test('3.2 of a streaming answer the first document counts; a newline or trailers after it do not', () => {
  assert.deepEqual(firstDocument('{"result":{"ID":"1"}}\n'), { result: { ID: '1' } })
  assert.deepEqual(firstDocument('{"error":"x","code":5}Grpc-Trailer-Content-Type: application/grpc\r\n'), {
    error: 'x',
    code: 5,
  })
  for (const odd of ['', 'OK', '[1]', '5', 'null', '{"a":', '"{}"', '<html>{}</html'])
    assert.equal(firstDocument(odd)?.['error'], undefined)
  assert.equal(firstDocument('{"header":{"revision":"5"'), undefined)
})

test('3.2 property: documents come out whole however the stream is cut', () => {
  const documents = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { maxLength: 5 })
  fc.assert(
    fc.property(documents, fc.constantFrom('', '\n', ' \r\n '), fc.array(fc.nat(40)), (list, separator, cuts) => {
      const text = list.map((one) => JSON.stringify(one)).join(separator)
      const reader = new JsonDocuments()
      const found: unknown[] = []
      let at = 0
      for (const cut of [...cuts, text.length]) {
        found.push(...reader.push(text.slice(at, at + cut)))
        at += cut
      }
      found.push(...reader.push(text.slice(at)))
      assert.deepEqual(found, JSON.parse(JSON.stringify(list)))
    }),
  )
})

test('braces and quotes inside strings do not end a document', () => {
  const odd = { a: '}{"\\', 'b"}': ['{', '\\"'] }
  assert.deepEqual(new JsonDocuments().push(JSON.stringify(odd)), [odd])
})
