import assert from 'node:assert/strict'
import { createConnection, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { budget, freePorts, LogBook, systemClock } from '../../../test/support/real.ts'
import { type JsonObject } from '../../cluster/json.ts'
import { type Message, nodeId } from '../core/types.ts'
import { FrameReader, frame, Parts, TextReader, wholeText } from './frames.ts'
import { type Peer, parseHello, printHello } from './hello.ts'
import { connectionKeys, newEphemeral, Opener, Sealer, stretchPassword } from './keys.ts'
import { Mesh } from './mesh.ts'
import type { TlsFiles } from './tls-files.ts'
import { parsePacket, printPacket } from './wire.ts'

interface Side {
  readonly mesh: Mesh
  readonly log: LogBook
  readonly messages: Message[]
}

async function listening(
  t: TestContext,
  secret: Buffer | null,
  tls: TlsFiles | null = null,
): Promise<Side & { readonly port: number }> {
  const [port = 0] = await freePorts(1)
  const side = makeSide(t, { kind: 'member', id: nodeId(`127.0.0.1:${port}#x`) }, secret, tls)
  assert.equal(await side.mesh.listen('127.0.0.1', port), null)
  return { ...side, port }
}

function makeSide(t: TestContext, self: Peer, secret: Buffer | null, tls: TlsFiles | null = null): Side {
  const log = new LogBook()
  const messages: Message[] = []
  const mesh = new Mesh({
    self,
    secret,
    tls,
    clock: systemClock,
    log,
    onMessage: (message) => messages.push(message),
    onRequest: (body, answer) => answer({ echo: body }),
    onLost: () => {},
  })
  t.after(() => mesh.close())
  return { mesh, log, messages }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !holds(); i += 1) await systemClock.sleep(20, budget(1000).signal)
  assert.ok(holds(), what)
}

const CLIENT: Peer = { kind: 'client' }
const call = (side: Side, port: number, body: JsonObject, ms = 5000) =>
  side.mesh.call(`127.0.0.1:${port}`, body, budget(ms))

for (const password of [null, 'secret']) {
  test(`requests are answered and messages arrive, ${password ? 'encrypted' : 'in plain'}`, async (t) => {
    const secret = password ? await stretchPassword(password) : null
    const server = await listening(t, secret)
    const member = makeSide(t, { kind: 'member', id: nodeId('127.0.0.1:1#y') }, secret)
    const body = { text: 'ü', long: 'x'.repeat(300_000) }
    assert.deepEqual(await call(member, server.port, body), { kind: 'answer', body: { echo: body } })
    const message: Message = {
      from: nodeId('127.0.0.1:1#y'),
      to: nodeId(`127.0.0.1:${server.port}#x`),
      term: 3,
      body: { kind: 'heartbeat', commit: 1, round: 2 },
    }
    member.mesh.send({ ...message, from: nodeId('127.0.0.1:2#z') })
    member.mesh.send(message)
    await until('the message arrives', () => server.messages.length > 0)
    assert.deepEqual(server.messages, [message], 'nobody speaks for another')
  })
}

test('who has another password, or none, is refused, and both sides say why', async (t) => {
  const server = await listening(t, await stretchPassword('secret'))
  const wrong = makeSide(t, CLIENT, await stretchPassword('guess'))
  assert.equal((await call(wrong, server.port, {}, 10_000)).kind, 'not-sent')
  assert.ok(server.log.has('its raft.password is another one'), server.log.lines.join())
  const none = makeSide(t, CLIENT, null)
  assert.deepEqual(await call(none, server.port, {}, 10_000), {
    kind: 'not-sent',
    reason: `127.0.0.1:${server.port}: it uses raft.password, and here is none`,
  })
  assert.ok(server.log.has('it uses no raft.password, and here is one'))
})

test('garbage, other protocols, other versions and those who say nothing are refused', async (t) => {
  const server = await listening(t, null)
  const say = async (bytes: Buffer): Promise<void> => {
    const socket: Socket = createConnection({ host: '127.0.0.1', port: server.port })
    socket.on('error', () => {}).resume()
    socket.write(bytes)
    await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  }
  await say(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
  assert.ok(server.log.has('does not speak the protocol of Matriarch'))
  const hello = printHello({ peer: CLIENT, secured: false, ...newEphemeral() })
  const older = Buffer.from(hello)
  older[7] = 9
  await say(older)
  assert.ok(server.log.has('it speaks version 9 of the protocol'))
  await say(Buffer.concat([hello, frame(Buffer.from('something'))]))
  assert.ok(server.log.has('it does not keep to the protocol'))
  await say(Buffer.concat([hello, Buffer.from('ffffffff', 'hex')]))
  await say(Buffer.concat([hello, frame(Buffer.from('ready')), frame(wholeText(Buffer.from('{"r":[1]}')))]))
})

test('a frame that was changed, left out or repeated is not accepted', async () => {
  const secret = await stretchPassword('secret')
  const [a, b] = [newEphemeral(), newEphemeral()]
  const greetings = { initiator: Buffer.from('a'), acceptor: Buffer.from('b') }
  const keys = connectionKeys(secret, a, b.publicKey, greetings)
  assert.deepEqual(connectionKeys(secret, b, a.publicKey, greetings), keys)
  const sealer = new Sealer(keys.fromInitiator)
  const [first, second] = [sealer.seal(Buffer.from('1')), sealer.seal(Buffer.from('2'))]
  assert.equal(new Opener(keys.fromInitiator).open(second), null)
  assert.equal(new Opener(keys.fromAcceptor).open(first), null)
  const opener = new Opener(keys.fromInitiator)
  assert.equal(opener.open(first)?.toString(), '1')
  assert.equal(opener.open(first), null)
  assert.notDeepEqual(connectionKeys(await stretchPassword('other'), a, b.publicKey, greetings), keys)
})

test('a stream cut anywhere gives the same frames and texts', () => {
  const bytes = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 })
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 20 }), (bodies, step) => {
      const stream = Buffer.concat(bodies.map((body) => frame(Buffer.from(body))))
      const reader = new FrameReader()
      const found: Buffer[] = []
      for (let at = 0; at < stream.length; at += step)
        found.push(...(reader.push(stream.subarray(at, at + step)) ?? []))
      assert.deepEqual(
        found.map((one) => [...one]),
        bodies.map((one) => [...one]),
      )
    }),
  )
  const parts = new Parts(Buffer.from('y'.repeat(200_000)))
  const reader = new TextReader()
  let text: string | null | undefined
  while (!parts.isDone) text = reader.push(parts.next())
  assert.equal(text, 'y'.repeat(200_000))
})

test('greetings and packets that make no sense are told apart from those that do', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const outcome = parseHello(Buffer.from(bytes))
      assert.notEqual(outcome.kind, 'hello')
    }),
  )
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.equal(parsePacket(text), null)
    }),
  )
  const entries = [{ index: 3, term: 1, body: { kind: 'command', command: 'x' } }] as const
  const body = { kind: 'append', prevIndex: 2, prevTerm: 1, entries, commit: 2 } as const
  const message: Message = { from: nodeId('a'), to: nodeId('b'), term: 1, body }
  assert.deepEqual(parsePacket(printPacket({ kind: 'raft', message })), { kind: 'raft', message })
  const gap: Message = { ...message, body: { ...body, prevIndex: 1 } }
  assert.equal(parsePacket(printPacket({ kind: 'raft', message: gap })), null)
})
