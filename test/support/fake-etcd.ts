import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { JsonObject } from '../../src/cluster/json.ts'
import { FakeEtcdState, type FakeEvent, text, within } from './fake-etcd-state.ts'

/** What a pretended server does instead of answering as it should. `applies`: it carries the request out all the same. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly body: string; readonly applies?: boolean }
  | { readonly kind: 'hang'; readonly applies?: boolean }
  | { readonly kind: 'drop'; readonly applies?: boolean }
  | { readonly kind: 'half'; readonly applies?: boolean }
  | { readonly kind: 'slow'; readonly ms: number }

export interface Call {
  readonly server: number
  readonly path: string
  readonly body: JsonObject
  readonly token: string | undefined
}

/** Decides about a call; `null`: all is well. */
export type FaultPlan = (call: Call) => Fault | null

/** A pretended cluster of etcd servers behind their JSON gateway, which fails in every way one asks for. */
export class FakeEtcd {
  readonly state = new FakeEtcdState()
  readonly calls: Call[] = []
  /** `GET /version`. */
  version: JsonObject = { etcdserver: '3.4.23', etcdcluster: '3.4.0' }
  /** User names with passwords; none: authentication is off. */
  users: Readonly<Record<string, string>> = {}
  readonly tokens = new Set<string>()
  fault: FaultPlan = () => null
  /** A raft term that a single server reports instead of the common one. */
  readonly terms = new Map<number, number>()
  /** Servers whose watches say nothing. */
  readonly deaf = new Set<number>()
  /** Watch messages leave in pieces of so many bytes. */
  pieceBytes = Number.POSITIVE_INFINITY
  readonly #servers: http.Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #watches = new Set<{
    readonly server: number
    readonly request: JsonObject
    readonly send: (message: JsonObject) => void
    readonly end: () => void
  }>()
  readonly #history: { readonly revision: number; readonly events: readonly FakeEvent[] }[] = []

  static async start(servers = 1): Promise<FakeEtcd> {
    const fake = new FakeEtcd()
    fake.state.changed = (revision, events) => {
      fake.#history.push({ revision, events })
      for (const watch of fake.#watches) fake.#tell(watch, events)
    }
    for (let i = 0; i < servers; i += 1) await fake.#listen(i)
    return fake
  }

  get urls(): string[] {
    return this.#servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  }

  get hosts(): string[] {
    return this.urls.map((url) => url.replace('http://', ''))
  }

  get watchers(): number {
    return this.#watches.size
  }

  callsTo(path: string): Call[] {
    return this.calls.filter((call) => call.path.endsWith(path))
  }

  /** Everything is gone: another cluster, or one made from a backup. */
  wipe(past: { readonly clusterId?: string; readonly revision: number; readonly term: number }): void {
    this.#history.splice(0)
    this.state.keys.clear()
    this.state.leases.clear()
    this.state.clusterId = past.clusterId ?? this.state.clusterId
    this.state.revision = past.revision
    this.state.term = past.term
  }

  /** Ends every watch, with a last message if one is given. */
  endWatches(message?: JsonObject): void {
    for (const watch of this.#watches) {
      if (message) watch.send(message)
      watch.end()
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }

  async #listen(index: number): Promise<void> {
    const server = http.createServer((request, response) => {
      let text = ''
      request.setEncoding('utf8')
      request.on('data', (chunk: string) => {
        text += chunk
      })
      request.on('end', () => this.#serve(index, request, text, response))
    })
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    this.#servers.push(server)
  }

  #serve(server: number, request: http.IncomingMessage, text: string, response: http.ServerResponse): void {
    const path = request.url ?? ''
    const body = text === '' ? {} : (JSON.parse(text) as JsonObject)
    const call: Call = { server, path, body, token: request.headers.authorization }
    this.calls.push(call)
    const fault = this.fault(call)
    if (fault && fault.kind !== 'slow') {
      const answer = fault.kind !== 'status' && fault.applies ? this.#answer(call) : null
      if (fault.kind === 'status' && fault.applies) this.#answer(call)
      if (fault.kind === 'status') response.writeHead(fault.status).end(fault.body)
      if (fault.kind === 'drop') response.destroy()
      if (fault.kind === 'half') response.end((answer?.body ?? '{"header":{"revision":"1","x').slice(0, 27))
      return
    }
    if (path.endsWith('/watch')) {
      this.#watch(call, response)
      return
    }
    const send = (): void => {
      const answer = path === '/version' ? { status: 200, body: JSON.stringify(this.version) } : this.#answer(call)
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
    }
    if (fault?.kind === 'slow') setTimeout(send, fault.ms)
    else send()
  }

  #header(server: number): JsonObject {
    return { ...this.state.header, raft_term: String(this.terms.get(server) ?? this.state.term) }
  }

  #answer(call: Call): { readonly status: number; readonly body: string } {
    const method = call.path.replace(/^\/v3(alpha|beta)?/, '')
    const header = this.#header(call.server)
    const ok = (answer: JsonObject) => ({ status: 200, body: JSON.stringify({ header, ...answer }) })
    const refused = this.#refusal(method, call)
    if (refused) return refused
    switch (method) {
      case '/auth/authenticate': {
        const token = `token-${this.tokens.size + 1}`
        this.tokens.add(token)
        return ok({ token })
      }
      case '/cluster/member/list':
        return ok({ members: this.urls.map((url, i) => ({ ID: String(i), name: `e${i}`, clientURLs: [url] })) })
      case '/lease/grant': {
        const ttl = text(call.body['TTL'])
        return ok({ ID: this.state.grant(Number(ttl)), TTL: ttl })
      }
      case '/lease/keepalive': {
        const id = text(call.body['ID'])
        const ttl = this.state.keepAlive(id)
        const result = { header, ID: id, ...(ttl === undefined ? {} : { TTL: String(ttl) }) }
        return { status: 200, body: `${JSON.stringify({ result })}\n` }
      }
      case '/kv/range':
        return ok(this.state.range(call.body))
      case '/kv/deleterange':
        return this.#stamped(call.server, this.state.deleteRequest(call.body))
      case '/kv/put':
        return this.#stamped(call.server, this.state.putRequest(call.body))
      case '/kv/txn':
        return this.#stamped(call.server, this.state.transaction(call.body))
      default:
        return { status: 404, body: '404 page not found' }
    }
  }

  /** The header after the change, or that the lease is missing. */
  #stamped(server: number, answer: JsonObject | null): { readonly status: number; readonly body: string } {
    if (answer === null) return { status: 404, body: errorBody('etcdserver: requested lease not found', 5) }
    return { status: 200, body: JSON.stringify({ header: this.#header(server), ...answer }) }
  }

  #refusal(method: string, call: Call): { readonly status: number; readonly body: string } | null {
    const isOn = Object.keys(this.users).length > 0
    if (method === '/auth/authenticate') {
      if (!isOn) return { status: 412, body: errorBody('etcdserver: authentication is not enabled', 9) }
      const good = this.users[text(call.body['name'])] === call.body['password']
      return good
        ? null
        : { status: 400, body: errorBody('etcdserver: authentication failed, invalid user ID or password', 3) }
    }
    if (!isOn) return null
    if (call.token === undefined) return { status: 400, body: errorBody('etcdserver: user name is empty', 3) }
    return this.tokens.has(call.token) ? null : { status: 401, body: errorBody('etcdserver: invalid auth token', 16) }
  }

  #watch(call: Call, response: http.ServerResponse): void {
    const refused = this.#refusal('/watch', call)
    const request = call.body['create_request'] as JsonObject
    const queue: Buffer[] = []
    const drain = (): void => {
      const next = queue.shift()
      if (!next) return
      response.write(next)
      if (queue.length > 0) setImmediate(drain)
    }
    const send = (message: JsonObject): void => {
      const bytes = Buffer.from(`${JSON.stringify(message)}\n`)
      const size = Math.min(this.pieceBytes, bytes.length)
      const wasEmpty = queue.length === 0
      for (let at = 0; at < bytes.length; at += size) queue.push(bytes.subarray(at, at + size))
      if (wasEmpty) drain()
    }
    response.writeHead(200, { 'content-type': 'application/json' })
    if (refused) {
      send({
        result: {
          header: this.#header(call.server),
          watch_id: '-1',
          created: true,
          canceled: true,
          cancel_reason: 'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
        },
      })
      response.end()
      return
    }
    const watch = { server: call.server, request, send, end: () => response.destroy() }
    const from = Number(request['start_revision'] ?? this.state.revision + 1)
    send({ result: { header: this.#header(call.server), created: true } })
    if (from < this.state.compactedBelow) {
      send({
        result: {
          header: this.#header(call.server),
          canceled: true,
          compact_revision: String(this.state.compactedBelow),
        },
      })
      response.end()
      return
    }
    for (const { revision, events } of this.#history) if (revision >= from) this.#tell(watch, events)
    this.#watches.add(watch)
    response.on('close', () => this.#watches.delete(watch))
  }

  #tell(
    watch: { readonly server: number; readonly request: JsonObject; readonly send: (message: JsonObject) => void },
    events: readonly FakeEvent[],
  ): void {
    const wanted = events.filter(({ kv }) => within(text(kv['key']), watch.request))
    if (wanted.length > 0 && !this.deaf.has(watch.server)) {
      watch.send({ result: { header: this.#header(watch.server), events: wanted } })
    }
  }
}

function errorBody(message: string, code: number): string {
  return JSON.stringify({ error: message, message, code })
}
