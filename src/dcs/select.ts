import type { Problem, StoreConfig } from '../config/types.ts'
import { createEtcd3, parseEtcdOptions } from './etcd3/index.ts'
import { createRaft, parseRaftOptions } from './raft/index.ts'
import type { Store, StoreDeps, StoreIdentity } from './store.ts'

export type SelectOutcome =
  | { readonly kind: 'store'; readonly store: Store }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }

/** Grows with the adapters. */
const SUPPORTED = ['etcd3', 'raft']

/** Makes the adapter that the configuration asks for. Nothing is connected yet. */
export function selectStore(config: StoreConfig, identity: StoreIdentity, deps: StoreDeps): SelectOutcome {
  switch (config.kind) {
    case 'etcd3': {
      const parsed = parseEtcdOptions(config.section, 'etcd3')
      if (parsed.kind === 'problems') return parsed
      return { kind: 'store', store: createEtcd3(parsed.options, identity, deps) }
    }
    case 'raft': {
      const parsed = parseRaftOptions(config.section)
      if (parsed.kind === 'problems') return parsed
      return { kind: 'store', store: createRaft(parsed.options, identity, deps) }
    }
    case null:
      return problem('', unsuitable())
    case 'consul':
    case 'etcd':
    case 'exhibitor':
    case 'kubernetes':
    case 'zookeeper':
      return problem(config.kind, `${unsuitable()}\nThe section ${config.kind} is not supported yet`)
  }
}

function unsuitable(): string {
  const available = `Available implementations: ${SUPPORTED.join(', ')}`
  return `Can not find suitable configuration of distributed configuration store\n${available}`
}

function problem(key: string, message: string): SelectOutcome {
  return { kind: 'problems', problems: [{ severity: 'error', key, message, file: null, line: null }] }
}
