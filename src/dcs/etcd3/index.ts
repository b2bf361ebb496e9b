import type { JsonObject } from '../../cluster/json.ts'
import type { Store, StoreDeps, StoreIdentity } from '../store.ts'
import { type EtcdOptions, parseEtcdOptions } from './options.ts'
import { assemble, type NameServices } from './parts.ts'
import { Etcd3Store } from './store.ts'

/** Makes the adapter for etcd v3; `start` connects it. */
export function createEtcd3(
  options: EtcdOptions,
  identity: StoreIdentity,
  deps: StoreDeps,
  services: NameServices = {},
): Store {
  const parseSection = (section: JsonObject) => parseEtcdOptions(section, 'etcd3')
  return new Etcd3Store(assemble(options, identity, deps, services), parseSection)
}

export { type EtcdOptions, parseEtcdOptions } from './options.ts'
