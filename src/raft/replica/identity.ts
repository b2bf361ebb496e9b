import type { MembershipChange } from '../core/membership.ts'
import { type Membership, type NodeId, nodeId } from '../core/types.ts'

/**
 * A member is its address and the life of its data directory: whoever comes back with an empty disk has forgotten what
 * he voted for, so that he is somebody else, however he is reached.
 */
export function makeNodeId(address: string, life: string): NodeId {
  return nodeId(`${address}#${life}`)
}

export function addressOf(id: NodeId): string {
  const end = id.lastIndexOf('#')
  return end < 0 ? id : id.slice(0, end)
}

export type Admission =
  | { readonly kind: 'voter' }
  | { readonly kind: 'learner' }
  | { readonly kind: 'change'; readonly change: MembershipChange }

/** What is to be done for `id` to belong to the group; called again and again until it does. */
export function admission(membership: Membership, id: NodeId): Admission {
  if (membership.voters.includes(id)) return { kind: 'voter' }
  if (membership.learners.includes(id)) return { kind: 'learner' }
  const former = memberAt(membership, addressOf(id))
  if (former) return { kind: 'change', change: { kind: 'remove', id: former } }
  return { kind: 'change', change: { kind: 'add-learner', id } }
}

export function memberAt(membership: Membership, address: string): NodeId | null {
  return [...membership.voters, ...membership.learners].find((id) => addressOf(id) === address) ?? null
}
