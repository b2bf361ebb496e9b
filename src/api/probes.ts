import { maxLsn } from '../cluster/lsn.ts'
import type { Instant } from '../cluster/time.ts'
import { parseInteger } from '../cluster/values.ts'
import type { MemberStatus } from '../ports/control.ts'
import { type Picture, receivedLocation } from './picture.ts'
import type { Target } from './request.ts'

/** Whether the loop runs as it should: asked by kubelets and by a member that starts under the same name (spec rest-api.md 6.4). */
export function isLive(status: MemberStatus, now: Instant): boolean {
  const { settings, role, nextRunAt } = status
  const alive = status.postmasterAlive ?? status.state === 'running'
  const thresholdMs = role === 'primary' && alive ? settings.ttlMs : 2 * settings.ttlMs
  return settings.paused || nextRunAt + thresholdMs > now
}

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly because: string }

const READY: Readiness = { ready: true }

/** Whether clients may be sent here (spec rest-api.md 6.5). Where it holds the lock, nothing else is asked. */
export function readiness(picture: Picture, query: Target['query']): Readiness {
  const { status, observation } = picture
  if (status.holdsLock) return READY
  if (status.state !== 'running') return notReady('PostgreSQL is not running')
  if (!observation || picture.replicationState !== 'streaming')
    return notReady('PostgreSQL replication state is not streaming')
  const latestEnd = observation.walReceiver?.latestEndLsn
  if (!status.view && !latestEnd) return status.failsafeActive ? READY : notReady('DCS is not accessible')
  const mode = query.get('mode') === 'write' ? 'write' : 'apply'
  const position = mode === 'write' ? receivedLocation(observation) : observation.replayedLsn
  const lag = maxLsn(status.view?.status.lastLsn, latestEnd) - position
  const limit = parseInteger(query.get('lag'), 'B') ?? status.settings.maximumLagOnFailover
  return lag > limit ? notReady(`Replication ${mode} lag ${lag} exceeds maximum allowable ${limit}`) : READY
}

function notReady(because: string): Readiness {
  return { ready: false, because }
}
