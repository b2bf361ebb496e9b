import assert from 'node:assert/strict'
import { copyFileSync, renameSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { Authority, type Certificate } from '../../../test/support/certificates.ts'
import { budget, freePorts, LogBook, systemClock } from '../../../test/support/real.ts'
import { nodeId } from '../core/types.ts'
import { stretchPassword } from './keys.ts'
import { type CallOutcome, Mesh } from './mesh.ts'
import { TlsFiles, type TlsPaths } from './tls-files.ts'
import type { Trust } from './trust.ts'

const ours = new Authority()
const theirs = new Authority()
after(() => {
  ours.remove()
  theirs.remove()
})
const [one, two, foreign] = [ours.signed('one'), ours.signed('two'), theirs.signed('foreign')]
const expired = ours.signed('expired', { days: -1 })

const pathsOf = ({ certfile, keyfile }: Certificate, authority = ours): TlsPaths => ({
  cacert: authority.own.certfile,
  cert: certfile,
  key: keyfile,
})

function files(paths: TlsPaths, warn: (text: string) => void = () => {}): TlsFiles {
  const opened = TlsFiles.open(paths, warn)
  return typeof opened === 'string' ? assert.fail(opened) : opened
}

const trust = (certificate: Certificate, authority?: Authority): Trust => ({
  secret: null,
  tls: files(pathsOf(certificate, authority)),
})
const PLAIN: Trust = { secret: null, tls: null }

interface Side {
  readonly mesh: Mesh
  readonly log: LogBook
}

function makeSide(t: TestContext, trusted: Trust, port: number | null): Side {
  const log = new LogBook()
  const mesh = new Mesh({
    self: port === null ? { kind: 'client' } : { kind: 'member', id: nodeId(`127.0.0.1:${port}#x`) },
    ...trusted,
    clock: systemClock,
    log,
    onMessage: () => {},
    onRequest: (body, answer) => answer({ echo: body }),
    onLost: () => {},
  })
  t.after(() => mesh.close())
  return { mesh, log }
}

async function listening(t: TestContext, trusted: Trust): Promise<Side & { readonly port: number }> {
  const [port = 0] = await freePorts(1)
  const side = makeSide(t, trusted, port)
  assert.equal(await side.mesh.listen('127.0.0.1', port), null)
  return { ...side, port }
}

/** A client that is new for each call. */
function ask(t: TestContext, port: number, trusted: Trust, ms: number): Promise<CallOutcome> {
  return makeSide(t, trusted, null).mesh.call(`127.0.0.1:${port}`, { text: 'hello' }, budget(ms))
}

const ANSWER: CallOutcome = { kind: 'answer', body: { echo: { text: 'hello' } } }

async function until(what: () => string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i += 1) await systemClock.sleep(20, budget(1000).signal)
  assert.ok(holds(), what())
}

test('members with certificates of one authority talk to each other, with a password as well', async (t) => {
  const server = await listening(t, trust(one))
  assert.deepEqual(await ask(t, server.port, trust(two), 10_000), ANSWER)
  const secret = await stretchPassword('secret')
  const both = await listening(t, { ...trust(one), secret })
  assert.deepEqual(await ask(t, both.port, { ...trust(two), secret }, 10_000), ANSWER)
  assert.equal((await ask(t, both.port, trust(two), 10_000)).kind, 'not-sent')
  assert.ok(both.log.has('it uses no raft.password, and here is one'), both.log.lines.join())
})

const REFUSED: readonly (readonly [who: string, trusted: () => Trust, reason: string])[] = [
  ['another authority', () => trust(foreign), 'its certificate is not signed by raft.cacert'],
  ['a certificate that it signed itself', () => trust(theirs.own), 'its certificate is not signed by raft.cacert'],
  ['an expired certificate', () => trust(expired), 'its certificate has expired'],
  ['no TLS', () => PLAIN, 'it does not use TLS, and here raft.cert is set'],
]
for (const [who, trusted, reason] of REFUSED) {
  test(`a peer with ${who} is refused, and the log says why in one line`, async (t) => {
    const server = await listening(t, trust(one))
    assert.equal((await ask(t, server.port, trusted(), 10_000)).kind, 'not-sent')
    await until(
      () => server.log.lines.join(),
      () => server.log.has(`warning: raft: refused 127.0.0.1: ${reason}`),
    )
    assert.ok(server.log.lines.every((line) => !line.includes('\n')))
  })
}

test('a member whose certificate is not of the own authority, or has expired, is not talked to', async (t) => {
  const stranger = await listening(t, trust(foreign, theirs))
  const asked = await ask(t, stranger.port, trust(two), 10_000)
  assert.match(JSON.stringify(asked), /not-sent.*its certificate is not signed by raft\.cacert/)
  const late = await listening(t, trust(expired))
  assert.match(JSON.stringify(await ask(t, late.port, trust(two), 10_000)), /not-sent.*its certificate has expired/)
})

test('a member without TLS is told apart, on both sides', async (t) => {
  const plain = await listening(t, PLAIN)
  const asked = await ask(t, plain.port, trust(two), 10_000)
  assert.match(JSON.stringify(asked), /not-sent.*it does not use TLS, and here raft\.cert is set/)
  assert.ok(plain.log.has('it uses TLS, and here raft.cert is not set'), plain.log.lines.join())
})

test('garbage at the door, and who says nothing, are put out', async (t) => {
  const server = await listening(t, trust(one))
  for (const text of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01']) {
    const socket = createConnection({ host: '127.0.0.1', port: server.port })
    socket.on('error', () => {}).resume()
    socket.end(text)
    await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  }
  assert.deepEqual(await ask(t, server.port, trust(two), 10_000), ANSWER)
})

test('certificates that were exchanged are used for the next connection; such that do not fit are complained of once', async (t) => {
  const paths = { cacert: join(ours.dir, 'now.ca'), cert: join(ours.dir, 'now.crt'), key: join(ours.dir, 'now.key') }
  const use = (certificate: Certificate, authority: Authority): void => {
    for (const [from, to] of [
      [authority.own.certfile, paths.cacert],
      [certificate.certfile, paths.cert],
      [certificate.keyfile, paths.key],
    ] as const) {
      copyFileSync(from, `${to}.new`)
      renameSync(`${to}.new`, to)
    }
  }
  use(foreign, theirs)
  const told: string[] = []
  const tls = files(paths, (text) => told.push(text))
  const server = await listening(t, { secret: null, tls })
  assert.equal((await ask(t, server.port, trust(two), 10_000)).kind, 'not-sent')
  use(one, ours)
  assert.deepEqual(await ask(t, server.port, trust(two), 10_000), ANSWER)
  assert.deepEqual(told, [])
  rmSync(paths.key)
  assert.deepEqual(await ask(t, server.port, trust(two), 10_000), ANSWER)
  assert.deepEqual(await ask(t, server.port, trust(two), 10_000), ANSWER)
  assert.deepEqual(told, [`raft.key: cannot read ${paths.key}: ENOENT; the former certificate stays in use`])
})

test('files that are missing, no certificates, or do not belong together are told by name', () => {
  const open = (paths: Partial<TlsPaths>): TlsFiles | string => TlsFiles.open({ ...pathsOf(one), ...paths }, () => {})
  const problem = (paths: Partial<TlsPaths>): string => {
    const opened = open(paths)
    return typeof opened === 'string' ? opened : ''
  }
  assert.equal(problem({ cert: '/nowhere/x' }), 'raft.cert: cannot read /nowhere/x: ENOENT')
  assert.match(problem({ key: two.keyfile }), /raft\.key .*do not fit: key values mismatch/)
  assert.match(problem({ cert: ours.write('garbage', 'garbage') }), /do not fit: .*no start line/)
  const combined = ours.combined(one, 'one')
  assert.ok(open({ cert: combined, key: combined }) instanceof TlsFiles)
  assert.ok(files(pathsOf(expired)).expiredSince(systemClock.wallMs()))
  assert.equal(files(pathsOf(one)).expiredSince(systemClock.wallMs()), null)
})
