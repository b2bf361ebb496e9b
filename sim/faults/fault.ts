import { KEYS } from '../../src/cluster/view.ts'
import type { Rng } from '../engine/random.ts'
import type { Host } from '../world/host.ts'
import type { World } from '../world/world.ts'

export const FAULTS = [
  'agent killed',
  'agent frozen',
  'agent slow',
  'agent stopped',
  'postmaster killed',
  'postmaster frozen',
  'host crashed',
  'host frozen',
  'disk hangs',
  'disk slow',
  'promotion hangs',
  'replay lags',
  'member isolated',
  'members parted',
  'member without store',
  'one way cut',
  'bad wire',
  'store hangs',
  'store slow',
  'store errors',
  'store forbids',
  'store loses replies',
  'store stale',
  'leader key deleted',
  'store wiped',
  'store restored',
  'wall clock set',
  'switchover',
  'manual failover',
  'restart',
  'reinitialize',
  'paused',
  'bulk load',
  'standby cluster promoted',
  'becomes a standby cluster',
  'restart scheduled',
  'system identifier overwritten',
  'data lost',
  'data away',
  'pre-promote script slow',
  'pre-promote script fails',
  'guard broken',
] as const
export type FaultKind = (typeof FAULTS)[number]

/** One planned fault. Whom it hits is drawn when it happens, from a stream of its own. */
export interface PlannedFault {
  readonly index: number
  readonly kind: FaultKind
  readonly atMs: number
  readonly lastsMs: number
}

/** Makes it happen. @returns what ends it, where it does not end by itself */
export type Fault = (scene: Scene) => (() => void) | undefined

export interface Scene {
  readonly world: World
  readonly rng: Rng
}

/** Mostly the leader, sometimes anybody: that is where it hurts. */
export function victim({ world, rng }: Scene): Host {
  const primary = primaryOf(world)
  return primary && rng.chance(0.55) ? primary : rng.pick([...world.hosts.values()])
}

export function twoHosts({ world, rng }: Scene): readonly [Host, Host] | null {
  const [a, b] = rng.shuffle([...world.hosts.values()])
  return a && b ? [a, b] : null
}

/** In a standby cluster who leads it. */
export function primaryOf(world: World): Host | null {
  if (world.remote) return world.hosts.get(world.store.tree.keys.get(KEYS.leader)?.text ?? '') ?? null
  return [...world.hosts.values()].find((host) => host.server.isWritable) ?? null
}
