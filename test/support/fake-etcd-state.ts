import type { Json, JsonObject } from '../../src/cluster/json.ts'

interface StoredKey {
  value: string
  lease: string
  createRevision: number
  modRevision: number
}

export type FakeEvent = { readonly type?: 'DELETE'; readonly kv: JsonObject }

/** The data of a pretended etcd cluster: enough of its key-value, lease and transaction semantics for an adapter. */
export class FakeEtcdState {
  readonly keys = new Map<string, StoredKey>()
  readonly leases = new Map<string, number>()
  revision = 1
  clusterId = '1001'
  term = 2
  compactedBelow = 0
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #nextLease = 9_041_998_779_156_735_000n
  changed: (revision: number, events: readonly FakeEvent[]) => void = () => {}

  get header(): JsonObject {
    return { cluster_id: this.clusterId, member_id: '1', revision: String(this.revision), raft_term: String(this.term) }
  }

  grant(ttl: number): string {
    this.#nextLease += 1n
    const id = this.#nextLease.toString()
    this.leases.set(id, ttl)
    this.keepAlive(id)
    return id
  }

  /** @returns the ttl in seconds; undefined when there is no such lease */
  keepAlive(id: string): number | undefined {
    const ttl = this.leases.get(id)
    clearTimeout(this.#timers.get(id))
    if (ttl !== undefined) this.#timers.set(id, setTimeout(() => this.expire(id), ttl * 1000).unref())
    return ttl
  }

  expire(id: string): void {
    clearTimeout(this.#timers.get(id))
    this.leases.delete(id)
    this.#change(() => [...this.keys].filter(([, key]) => key.lease === id).map(([name]) => this.#remove(name)))
  }

  /** As somebody else would write. Plain texts. */
  put(key: string, value: string, lease = '0'): void {
    this.#change(() => [this.#set(base64(key), base64(value), lease)])
  }

  remove(key: string): void {
    this.#change(() => (this.keys.has(base64(key)) ? [this.#remove(base64(key))] : []))
  }

  valueOf(key: string): string | null {
    const found = this.keys.get(base64(key))
    return found ? Buffer.from(found.value, 'base64').toString() : null
  }

  range(request: JsonObject): JsonObject {
    const kvs = [...this.keys].filter(([key]) => within(key, request)).map(([key, stored]) => kvOf(key, stored))
    return { ...(kvs.length > 0 ? { kvs } : {}), count: String(kvs.length) }
  }

  /** @returns `null` when the lease does not exist */
  putRequest(request: JsonObject): JsonObject | null {
    const lease = typeof request['lease'] === 'string' ? request['lease'] : '0'
    if (lease !== '0' && !this.leases.has(lease)) return null
    this.#change(() => [this.#set(text(request['key']), text(request['value']), lease)])
    return {}
  }

  deleteRequest(request: JsonObject): JsonObject {
    const doomed = [...this.keys.keys()].filter((key) => within(key, request))
    this.#change(() => doomed.map((key) => this.#remove(key)))
    return doomed.length > 0 ? { deleted: String(doomed.length) } : {}
  }

  /** @returns `null` when a lease in it does not exist */
  transaction(request: JsonObject): JsonObject | null {
    const holds = list(request['compare']).every((condition) => this.#holds(condition))
    const responses: JsonObject[] = []
    for (const operation of list(request[holds ? 'success' : 'failure'])) {
      const response = this.#operate(operation)
      if (response === null) return null
      responses.push(response)
    }
    return { ...(holds ? { succeeded: true } : {}), ...(responses.length > 0 ? { responses } : {}) }
  }

  #operate(operation: JsonObject): JsonObject | null {
    const [kind, request] = Object.entries(operation)[0] as [string, JsonObject]
    switch (kind) {
      case 'request_put': {
        const put = this.putRequest(request)
        return put && { response_put: { header: { revision: String(this.revision) } } }
      }
      case 'request_delete_range':
        return { response_delete_range: { header: {}, ...this.deleteRequest(request) } }
      case 'request_range':
        return { response_range: { header: {}, ...this.range(request) } }
      case 'request_txn': {
        const inner = this.transaction(request)
        return inner && { response_txn: { header: {}, ...inner } }
      }
      default:
        throw new Error(`unknown operation ${kind}`)
    }
  }

  #holds(condition: JsonObject): boolean {
    const found = this.keys.get(text(condition['key']))
    switch (text(condition['target'])) {
      case 'CREATE':
        return String(found?.createRevision ?? 0) === condition['create_revision']
      case 'MOD':
        return String(found?.modRevision ?? 0) === condition['mod_revision']
      case 'VALUE':
        return found !== undefined && found.value === condition['value']
      default:
        throw new Error('unknown target')
    }
  }

  #change(make: () => FakeEvent[]): void {
    this.revision += 1
    const events = make()
    if (events.length === 0) this.revision -= 1
    else this.changed(this.revision, events)
  }

  #set(key: string, value: string, lease: string): FakeEvent {
    const createRevision = this.keys.get(key)?.createRevision ?? this.revision
    const stored = { value, lease, createRevision, modRevision: this.revision }
    this.keys.set(key, stored)
    return { kv: kvOf(key, stored) }
  }

  #remove(key: string): FakeEvent {
    this.keys.delete(key)
    return { type: 'DELETE', kv: { key, mod_revision: String(this.revision) } }
  }
}

export function base64(value: string): string {
  return Buffer.from(value).toString('base64')
}

function kvOf(key: string, stored: StoredKey): JsonObject {
  return {
    key,
    create_revision: String(stored.createRevision),
    mod_revision: String(stored.modRevision),
    version: '1',
    ...(stored.value === '' ? {} : { value: stored.value }),
    ...(stored.lease === '0' ? {} : { lease: stored.lease }),
  }
}

export function within(key: string, request: JsonObject): boolean {
  const name = Buffer.from(key, 'base64').toString('latin1')
  const from = Buffer.from(text(request['key']), 'base64').toString('latin1')
  if (request['range_end'] === undefined) return name === from
  return name >= from && name < Buffer.from(text(request['range_end']), 'base64').toString('latin1')
}

export function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

function list(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly JsonObject[]) : []
}
