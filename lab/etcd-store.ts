import type { Etcd } from './etcd.ts'
import type { ConfigDocument } from './member.ts'
import type { Store } from './store.ts'

/** The servers of one etcd, as one store. */
export class EtcdStore implements Store {
  readonly kind = 'etcd3'
  readonly membersNeeded = 1
  readonly servers: readonly Etcd[]
  readonly #first: Etcd

  constructor(servers: readonly Etcd[]) {
    const [first] = servers
    if (!first) throw new Error('a store without a server')
    this.#first = first
    this.servers = servers
  }

  get isRunning(): boolean {
    return this.servers.every((server) => server.isRunning)
  }

  async start(): Promise<void> {
    await Promise.all(this.servers.filter((server) => !server.isRunning).map((server) => server.start()))
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()))
  }

  freeze(): void {
    for (const server of this.servers) server.freeze()
  }

  thaw(): void {
    for (const server of this.servers) server.thaw()
  }

  get(key: string): Promise<string | null> {
    return this.#first.get(key)
  }

  delete(key: string): Promise<void> {
    return this.#first.delete(key)
  }

  async sectionFor(): Promise<ConfigDocument> {
    const places = this.servers.map(({ host, port }) => `${host.address}:${port}`)
    return { etcd3: places.length === 1 ? { host: places[0] } : { hosts: places } }
  }

  /** Its keys end with its lease. */
  async forget(): Promise<void> {}

  /** No member does. */
  async leadFrom(): Promise<void> {}

  requestsServed(): Promise<ReadonlyMap<string, number>> {
    return this.#first.requestsServed()
  }

  close(): Promise<void> {
    return this.stop()
  }
}
