import { Resolver } from 'node:dns/promises'
import { createHttpClient, type HttpClient } from '../../http/client.ts'
import { NameCache, type ResolveAll } from '../../http/lookup.ts'
import { loadTls, NO_TLS_FILES } from '../../http/tls.ts'
import type { Budget, Clock } from '../../ports/clock.ts'
import type { DcsTiming, StoreEvent } from '../../ports/dcs.ts'
import type { Log } from '../../ports/log.ts'
import type { StoreDeps, StoreIdentity } from '../store.ts'
import type { ResolveSrv } from './bootstrap.ts'
import { Connection } from './connection.ts'
import { Gateway } from './gateway.ts'
import { OwnLease } from './lease.ts'
import { Lock } from './lock.ts'
import { Mirror } from './mirror.ts'
import type { EtcdOptions } from './options.ts'
import { Session } from './session.ts'
import { Topology } from './topology.ts'
import { Writes } from './writes.ts'

/** What a store on etcd is made of. */
export interface Parts {
  readonly name: string
  readonly prefix: string
  readonly clock: Clock
  readonly log: Log
  readonly useProxies: boolean
  readonly timing: { now: DcsTiming }
  readonly http: HttpClient
  readonly topology: Topology
  readonly session: Session
  readonly gateway: Gateway
  readonly writes: Writes
  /** What only a member has; `null` for a client. */
  readonly member: { readonly lease: OwnLease; readonly mirror: Mirror; readonly lock: Lock } | null
  readonly notify: { listener: (event: StoreEvent) => void }
  readonly closing: AbortController
}

/** Name services, replaceable in tests. */
export interface NameServices {
  readonly resolveAll?: ResolveAll
  readonly resolveSrv?: ResolveSrv
}

export function assemble(
  options: EtcdOptions,
  identity: StoreIdentity,
  deps: StoreDeps,
  services: NameServices = {},
): Parts {
  const { clock, log, random } = deps
  const timing = { now: identity.timing }
  const closing = new AbortController()
  const names = new NameCache(clock, services.resolveAll)
  const http = createHttpClient(
    {
      tls: () => loadTls(options.tls, 'full'),
      userAgent: deps.userAgent,
      lookup: names.lookup,
      // A watch has no read time-out: the kernel notices a peer that is gone.
      probeAfterMs: identity.timing.loopWaitMs + identity.timing.retryTimeoutMs,
    },
    clock,
  )
  const connection = new Connection(http, clock, log)
  const topology = new Topology(options, connection, {
    names,
    clock,
    random,
    log,
    resolveSrv: services.resolveSrv ?? ((name) => new Resolver().resolveSrv(name)),
    get: (url, budget) => getUnverified(url, budget, deps),
  })
  const session = new Session(options.credentials, {
    connection,
    topology,
    clock,
    log,
    retryTimeoutMs: () => timing.now.retryTimeoutMs,
  })
  const gateway = new Gateway({
    connection,
    topology,
    session,
    clock,
    random,
    log,
    timing: () => timing.now,
    closing: closing.signal,
  })
  const notify: Parts['notify'] = { listener: () => {} }
  const common = { name: identity.name, prefix: identity.prefix, useProxies: options.useProxies }
  const rest = { clock, log, timing, http, topology, session, gateway, notify, closing }
  if (identity.mode === 'client') return { ...common, ...rest, writes: new Writes(gateway, null), member: null }

  const mirror = new Mirror(identity.prefix, {
    gateway,
    connection,
    topology,
    session,
    clock,
    log,
    timing: () => timing.now,
    notify: (event) => notify.listener(event),
  })
  topology.changed = () => mirror.drop('another server is in use')
  gateway.failedHard = () => mirror.drop('the store does not answer')
  connection.heard = (header) => mirror.heard(header.revision)
  connection.replaced = () => mirror.forget()
  const lease = new OwnLease(gateway, clock, log, identity.timing)
  const writes = new Writes(gateway, mirror)
  const { prefix, name } = identity
  const lock = new Lock({ prefix, name, lease, writes, mirror, log })
  return { ...common, ...rest, writes, member: { lease, mirror, lock } }
}

/** Discovery by peer addresses: those certificates are for the servers among themselves. */
async function getUnverified(url: string, budget: Budget, deps: StoreDeps): Promise<string | null> {
  const client = createHttpClient({ tls: () => loadTls(NO_TLS_FILES, 'none'), userAgent: deps.userAgent }, deps.clock)
  try {
    const response = await client.request({ method: 'GET', url }, budget)
    return response.kind === 'response' && response.status === 200 ? response.body : null
  } finally {
    client.close()
  }
}
