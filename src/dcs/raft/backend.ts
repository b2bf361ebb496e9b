import { later } from '../../cluster/time.ts'
import type { Budget } from '../../ports/clock.ts'
import { RaftClient } from '../../raft/client/client.ts'
import type { KeyValue } from '../../raft/kv/history.ts'
import type { KeyAccess } from '../../raft/node/access.ts'
import { RaftNode } from '../../raft/node/node.ts'
import type { ChangeListener } from '../../raft/replica/replica.ts'
import { openTls } from '../../raft/transport/trust.ts'
import { START_PAUSE_MS, type StartOutcome, type StoreDeps } from '../store.ts'
import type { RaftOptions } from './options.ts'

/** The copy of the keys that a member has. */
export interface LocalKeys {
  /** The last entry in it. */
  readonly index: number
  get(key: string): KeyValue | null
  withPrefix(prefix: string): readonly KeyValue[]
  /** @returns `null` once the copy is as new as this call; else why that cannot be told */
  whenCurrent(budget: Budget): Promise<string | null>
  onChange(listener: ChangeListener): () => void
  /** Calls back when there is a leader after there was none. */
  onReturn(listener: () => void): () => void
}

/** What a store on Raft stands on: a member of the group, or a client of it. */
export interface Backend {
  start(signal: AbortSignal): Promise<StartOutcome>
  /** After `start`. */
  readonly access: KeyAccess
  /** A member's only. */
  readonly local: LocalKeys | null
  close(): Promise<void>
}

export class MemberBackend implements Backend {
  readonly #options: RaftOptions
  readonly #deps: StoreDeps
  #node: RaftNode | null = null

  constructor(options: RaftOptions, deps: StoreDeps) {
    this.#options = options
    this.#deps = deps
  }

  get node(): RaftNode {
    if (!this.#node) throw new Error('the member of the Raft group was not started')
    return this.#node
  }

  get access(): KeyAccess {
    return this.node
  }

  get local(): LocalKeys {
    return localKeys(this.node)
  }

  async start(signal: AbortSignal): Promise<StartOutcome> {
    const { selfAddress, ...rest } = this.#options
    const { clock, log } = this.#deps
    if (selfAddress === null) return { kind: 'fatal', text: 'raft.self_addr is missing: a member needs an address' }
    const started = await RaftNode.start({ selfAddress, ...rest }, this.#deps)
    if (started.kind === 'impossible') return { kind: 'fatal', text: started.text }
    const { node } = started
    this.#node = node
    for (let waitedMs = 0; ; waitedMs += PAUSE_MS) {
      const { arrival, failure } = node
      if (failure !== null) return { kind: 'fatal', text: failure }
      if (arrival.kind === 'arrived') return { kind: 'ready' }
      if (waitedMs > 0 && waitedMs % START_PAUSE_MS === 0) log.info('waiting on raft')
      await clock.sleep(PAUSE_MS, signal)
      if (signal.aborted) return { kind: 'stopped', reason: arrival.reason }
    }
  }

  async close(): Promise<void> {
    await this.#node?.stop()
  }
}

const PAUSE_MS = 50

export function localKeys(node: RaftNode): LocalKeys {
  return {
    get index() {
      return node.replica.kvs.index
    },
    get: (key) => node.replica.kvs.get(key),
    withPrefix: (prefix) => node.replica.kvs.withPrefix(prefix),
    whenCurrent: (budget) => node.whenCurrent(budget),
    onChange: (listener) => node.onChange(listener),
    onReturn: (listener) =>
      node.onLeader((leader) => {
        if (leader !== null) listener()
      }),
  }
}

export class ClientBackend implements Backend {
  readonly #options: RaftOptions
  readonly #deps: StoreDeps
  readonly local = null
  #client: RaftClient | null = null

  constructor(options: RaftOptions, deps: StoreDeps) {
    this.#options = options
    this.#deps = deps
  }

  get access(): KeyAccess {
    if (!this.#client) throw new Error('the client of the Raft group was not started')
    return this.#client
  }

  async start(signal: AbortSignal): Promise<StartOutcome> {
    const { selfAddress, partners, password, tls } = this.#options
    const { clock, log } = this.#deps
    const addresses = [...(selfAddress === null ? [] : [selfAddress]), ...partners]
    if (addresses.length === 0) {
      return { kind: 'fatal', text: 'Neither raft.self_addr nor raft.partner_addrs says where the group is' }
    }
    const files = openTls(tls, this.#deps)
    if (typeof files === 'string') return { kind: 'fatal', text: `raft: ${files}` }
    const client = await RaftClient.create({ addresses, password, tls: files }, this.#deps)
    this.#client = client
    for (;;) {
      const deadline = later(clock.now(), START_PAUSE_MS)
      const time = clock.deadline(deadline, signal)
      const asked = await client.ask({ do: 'membership' }, { deadline, signal: time.signal })
      time.done()
      if (asked.kind === 'answer') return { kind: 'ready' }
      if (signal.aborted) return { kind: 'stopped', reason: asked.reason }
      log.info('waiting on raft')
      await clock.sleep(PAUSE_MS * 10, signal)
      if (signal.aborted) return { kind: 'stopped', reason: asked.reason }
    }
  }

  async close(): Promise<void> {
    await this.#client?.close()
  }
}
