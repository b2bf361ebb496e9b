import type { Etcd } from '../lab/etcd.ts'
import type { Member } from '../lab/member.ts'
import { signalAll } from '../lab/processes.ts'
import { signalHost } from './host-processes.ts'
import type { Drop } from './network.ts'
import { FAULTS, type FaultName, type PlannedFault } from './plan.ts'
import { MEMBERS, STORES, type World } from './world.ts'

/** Whom a fault befalls, now that it begins. */
export interface Target {
  readonly member: Member
  readonly isPrimary: boolean
  readonly stores: readonly Etcd[]
}

/** What a fault does to the cluster's ability to act; see FaultRecord. */
export interface Effect {
  readonly on: string
  readonly members: readonly string[]
  readonly stores: readonly string[]
  readonly isUnavoidable: boolean
}

type End = () => Promise<void> | void
type Begin = (world: World, target: Target, fault: PlannedFault) => Promise<End> | End

const MEMBER_PROCESS = new Set<FaultName>([
  'kill-agent',
  'kill-postmaster',
  'kill-host',
  'freeze-agent',
  'freeze-postmaster',
  'freeze-host',
])
const STORE_PROCESS = new Set<FaultName>(['kill-store', 'freeze-store', 'freeze-store-majority'])

/** Two faults of the processes of one host would undo each other. */
export function exclusiveHosts(kind: FaultName, target: Target): readonly string[] {
  if (MEMBER_PROCESS.has(kind)) return [target.member.name]
  return STORE_PROCESS.has(kind) ? target.stores.map(({ name }) => name) : []
}

/** After these nothing of a member starts it again but us. */
export function endsAgent(kind: FaultName): boolean {
  return kind === 'kill-agent' || kind === 'kill-host'
}

export function effectOf(kind: FaultName, target: Target): Effect {
  const { member, stores } = target
  const isUnavoidable = kind === 'full-disk' && target.isPrimary
  if (FAULTS[kind].target !== 'member')
    return {
      on: stores.map(({ name }) => name).join(' '),
      members: [],
      stores: stores.map(({ name }) => name),
      isUnavoidable,
    }
  const isHarmless = kind === 'clock-step' || kind === 'switchover' || kind === 'kill-postmaster'
  const on = `${member.name}${target.isPrimary ? ' (primary)' : ''}`
  return { on, members: isHarmless ? [] : [member.name], stores: [], isUnavoidable }
}

/** Begins a fault. @returns what ends it */
export async function begin(world: World, target: Target, fault: PlannedFault): Promise<End> {
  return BEGIN[fault.kind](world, target, fault)
}

const BEGIN: Readonly<Record<FaultName, Begin>> = {
  'cut-off': (world, { member }) => world.network.drop(both(member.name, others(member.name))),
  'cut-off-sending': (world, { member }) => world.network.drop(sending(member.name, others(member.name))),
  'cut-off-receiving': (world, { member }) => world.network.drop(receiving(member.name, others(member.name))),
  'cut-from-store': (world, { member }) => world.network.drop(both(member.name, STORES)),
  'cut-from-store-one-way': (world, { member }, { strength }) =>
    world.network.drop(strength < 0.5 ? sending(member.name, STORES) : receiving(member.name, STORES)),
  'cut-from-members': (world, { member }) => world.network.drop(both(member.name, without(MEMBERS, member.name))),
  'store-cut-off': (world, target) => {
    const name = nameOf(target)
    return world.network.drop(both(name, others(name)))
  },
  loss: (world, { member }, { strength }) =>
    world.network.drop(both(member.name, others(member.name), between(0.05, 0.5, strength))),
  'store-loss': (world, target, { strength }) => {
    const name = nameOf(target)
    return world.network.drop(both(name, others(name), between(0.05, 0.5, strength)))
  },
  delay: (world, { member }, { strength }) =>
    world.network.slow(member.name, { kind: 'delay', ms: Math.round(between(20, 400, strength)) }),
  'store-delay': (world, target, { strength }) =>
    world.network.slow(nameOf(target), { kind: 'delay', ms: Math.round(between(20, 400, strength)) }),
  throttle: (world, { member }, { strength }) =>
    world.network.slow(member.name, { kind: 'throttle', kbit: Math.round(between(64, 512, strength)) }),
  'kill-agent': (_, { member }) => {
    member.signalAgent('SIGKILL')
    return () => started(member)
  },
  'kill-postmaster': (_, { member }) => {
    signalPostmaster(member, 'SIGKILL')
    return () => {}
  },
  'kill-host': (world, { member }) => {
    signalHost(world.namespaceOf(member.name), 'SIGKILL')
    return () => started(member)
  },
  'kill-store': async (_, { stores }) => {
    for (const store of stores) await store.stop()
    return async () => {
      for (const store of stores) await store.launch()
    }
  },
  'freeze-agent': (_, { member }) => {
    member.signalAgent('SIGSTOP')
    return () => member.signalAgent('SIGCONT')
  },
  'freeze-postmaster': (_, { member }) => {
    const pid = signalPostmaster(member, 'SIGSTOP')
    return () => {
      if (pid !== null && member.postmasterPid() === pid) signalAll([pid], 'SIGCONT')
    }
  },
  'freeze-host': (world, { member }) => {
    signalHost(world.namespaceOf(member.name), 'SIGSTOP')
    return () => signalHost(world.namespaceOf(member.name), 'SIGCONT')
  },
  'freeze-store': freezeStores,
  'freeze-store-majority': freezeStores,
  'clock-step': (world, { member }, { strength }) => {
    world.setClock(member, Math.round(between(-600, 600, strength)))
    return () => world.setClock(member, 0)
  },
  'full-disk': (world, { member }) => world.fillDisk(member),
  switchover: async (world, { member, isPrimary }) => {
    const leader = isPrimary ? member : await world.cluster.leader()
    const candidate = isPrimary ? {} : { candidate: member.name }
    // Its answer comes when the switchover is over; refusals are fine, the cluster may not be well.
    void leader?.rest('POST', '/switchover', { leader: leader.name, ...candidate }, 1000)
    return () => {}
  },
}

function freezeStores(_: World, { stores }: Target): End {
  for (const store of stores) store.freeze()
  return () => {
    for (const store of stores) store.thaw()
  }
}

function signalPostmaster(member: Member, signal: NodeJS.Signals): number | null {
  const pid = member.postmasterPid()
  if (pid !== null) signalAll([pid], signal)
  return pid
}

async function started(member: Member): Promise<void> {
  if (!member.isRunning) await member.start()
}

function nameOf({ stores }: Target): string {
  const [store] = stores
  if (!store) throw new Error('a fault of a store server without one')
  return store.name
}

function others(name: string): readonly string[] {
  return without([...MEMBERS, ...STORES], name)
}

function without(names: readonly string[], name: string): readonly string[] {
  return names.filter((other) => other !== name)
}

function both(name: string, peers: readonly string[], share = 1): readonly Drop[] {
  return [...sending(name, peers, share), ...receiving(name, peers, share)]
}

function sending(name: string, peers: readonly string[], share = 1): readonly Drop[] {
  return peers.map((to) => ({ from: name, to, share }))
}

function receiving(name: string, peers: readonly string[], share = 1): readonly Drop[] {
  return peers.map((from) => ({ from, to: name, share }))
}

function between(low: number, high: number, strength: number): number {
  return low + (high - low) * strength
}
