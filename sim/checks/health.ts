import { replicatefrom } from '../../src/cluster/tags.ts'
import { KEYS } from '../../src/cluster/view.ts'
import type { Postmaster } from '../pg/postmaster.ts'
import type { WalReceiver } from '../pg/receiver.ts'
import type { World } from '../world/world.ts'

/**
 * What keeps the cluster from being whole; `null`: one primary with the lock, and everybody streams. In a standby
 * cluster the holder of the lock is one more standby, of the primary outside.
 */
export function illness(world: World): string | null {
  const writers = world.singleWriter.writers()
  const [primary] = writers
  if (writers.length !== 1 || !primary?.files) return `${writers.length} servers take writes`
  const leader = world.store.tree.keys.get(KEYS.leader)?.text
  const { remote } = world
  if (remote && primary !== remote) return `${primary.host} takes writes in a standby cluster`
  const head = remote ? world.hosts.get(leader ?? '')?.server : primary
  if (!head || leader !== head.host) return `the leader key says ${leader ?? 'nothing'}, ${primary.host} is the primary`
  for (const host of world.hosts.values()) {
    if (!host.agent) return `no agent on ${host.name}`
    if (host.server === primary) continue
    const cascade = world.hosts.get(replicatefrom(host.tags) ?? '')?.server
    const wanted = host.server === head ? remote : cascade && cascade !== host.server ? cascade : head
    const postmaster: Postmaster | null = host.server.postmaster
    if (postmaster?.phase !== 'ready') return `PostgreSQL on ${host.name} is ${postmaster?.phase ?? 'stopped'}`
    const { link, lastError }: WalReceiver = postmaster.receiver
    if (!link) return `${host.name} does not stream: ${lastError ?? 'no upstream'}`
    if (link.upstream.server !== wanted) return `${host.name} streams from ${link.upstream.server.host}`
    if (link.state !== 'streaming') return `${host.name} is catching up`
  }
  return null
}
