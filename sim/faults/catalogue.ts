import type { Fault, FaultKind } from './fault.ts'
import * as operator from './operator.ts'
import * as processes from './processes.ts'
import * as store from './store.ts'
import * as wires from './wires.ts'

export const CATALOGUE: Readonly<Record<FaultKind, Fault>> = {
  'agent killed': processes.agentKilled,
  'agent frozen': processes.agentFrozen,
  'agent slow': processes.agentSlow,
  'agent stopped': processes.agentStopped,
  'postmaster killed': processes.postmasterKilled,
  'postmaster frozen': processes.postmasterFrozen,
  'host crashed': processes.hostCrashed,
  'host frozen': processes.hostFrozen,
  'disk hangs': processes.diskHangs,
  'disk slow': processes.diskSlow,
  'promotion hangs': processes.promotionHangs,
  'replay lags': processes.replayLags,
  'member isolated': wires.memberIsolated,
  'members parted': wires.membersParted,
  'member without store': wires.memberWithoutStore,
  'one way cut': wires.oneWayCut,
  'bad wire': wires.badWire,
  'store hangs': store.storeHangs,
  'store slow': store.storeSlow,
  'store errors': store.storeErrors,
  'store forbids': store.storeForbids,
  'store loses replies': store.storeLosesReplies,
  'store stale': store.storeStale,
  'leader key deleted': store.leaderKeyDeleted,
  'store wiped': store.storeWiped,
  'store restored': store.storeRestored,
  'wall clock set': operator.wallClockSet,
  switchover: operator.switchover,
  'manual failover': operator.manualFailover,
  restart: operator.restart,
  reinitialize: operator.reinitialized,
  paused: operator.paused,
  'bulk load': operator.bulkLoad,
  'standby cluster promoted': operator.standbyClusterPromoted,
}
