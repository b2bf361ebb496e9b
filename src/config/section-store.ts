import { isObject, type JsonObject } from '../cluster/json.ts'
import type { StoreConfig } from './types.ts'

/** In the order in which they are looked for. */
export const STORE_KINDS = ['consul', 'etcd', 'etcd3', 'exhibitor', 'kubernetes', 'raft', 'zookeeper'] as const

const COPIED = ['namespace', 'name', 'scope', 'loop_wait', 'ttl', 'retry_timeout']

/**
 * The first store that has a section, with the settings of the cluster copied into it (spec dcs.md 1.1). The namespace
 * of Kubernetes objects stays what its own section says.
 */
export function storeConfig(document: JsonObject): StoreConfig {
  const kind = STORE_KINDS.find((name) => name in document) ?? null
  if (kind === null) return { kind, section: {} }
  const own = document[kind]
  const copied = COPIED.filter((key) => key in document && !(kind === 'kubernetes' && key === 'namespace'))
  return {
    kind,
    section: {
      ...(isObject(own) ? own : {}),
      ...Object.fromEntries(copied.map((key) => [key, document[key] ?? null])),
    },
  }
}

/** `/<namespace>/<scope>/`, with the group of a Citus cluster, runs of slashes collapsed. */
export function storePrefix(namespace: string, scope: string, group: number | null): string {
  return `/${namespace}/${scope}/${group === null ? '' : `${group}/`}`.replace(/\/{2,}/g, '/')
}

export function noStoreMessage(): string {
  return (
    'Can not find suitable configuration of distributed configuration store\n' +
    `Available implementations: ${STORE_KINDS.join(', ')}`
  )
}
