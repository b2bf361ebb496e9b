import type { Store, StoreDeps, StoreIdentity } from '../store.ts'
import { ClientBackend, MemberBackend } from './backend.ts'
import type { RaftOptions } from './options.ts'
import { RaftStore } from './store.ts'

/** Makes the adapter for the embedded Raft; `start` makes this process a member of the group, or a client of it. */
export function createRaft(options: RaftOptions, identity: StoreIdentity, deps: StoreDeps): Store {
  const backend = identity.mode === 'member' ? new MemberBackend(options, deps) : new ClientBackend(options, deps)
  return new RaftStore(backend, identity, deps)
}

export { parseRaftOptions, type RaftOptions } from './options.ts'
