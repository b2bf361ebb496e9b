import type { Json } from '../cluster/json.ts'
import { maxLsn } from '../cluster/lsn.ts'
import { isNoloadbalance, publishedTags, type Tags } from '../cluster/tags.ts'
import { parseInteger, textForm } from '../cluster/values.ts'
import type { MemberStatus } from '../ports/control.ts'
import type { Picture } from './picture.ts'
import type { Target } from './request.ts'

/** The conditions that all health checks are put together from (spec rest-api.md 6.1). */
interface Conditions {
  readonly primary: boolean
  readonly standbyLeader: boolean
  readonly leader: boolean
  readonly replica: boolean
}

/** The code of a health check; whatever the path, it is 200 or 503 (spec rest-api.md 6.2). */
export function healthCode(target: Target, picture: Picture): 200 | 503 {
  return isHealthy(target, picture) ? 200 : 503
}

/**
 * Whether the answer to a check hangs on the lock alone. Such a check is answered at once, however PostgreSQL fares.
 */
export function isDecidedByLock({ path }: Target, { view, settings }: MemberStatus): boolean {
  const asksForLeader = path === '/' || /leader|master|primary|read-write/.test(path)
  return asksForLeader && (view !== null || !settings.paused) && settings.standbyCluster === null
}

function isHealthy({ path: asked, query }: Target, picture: Picture): boolean {
  const path = asked === '/' ? '/primary' : asked
  const has = (...words: readonly string[]): boolean => words.some((word) => path.includes(word))
  const ok = conditions(picture, query)
  const tagged = (condition: boolean): boolean => condition && tagsMatch(picture.status.configuredTags, query)
  const leads = ok.primary || ok.standbyLeader
  const { standby } = picture

  if (has('standby_leader', 'standby-leader')) return ok.standbyLeader
  if (has('leader')) return ok.leader
  if (has('master', 'primary', 'read-write')) return ok.primary
  if (has('replica')) return tagged(ok.replica)
  if (has('read-only') && !has('sync', 'quorum')) return tagged(leads || ok.replica)
  if (has('health')) return tagged(picture.state === 'running')
  switch (path) {
    case '/sync':
    case '/synchronous':
      return tagged(standby === 'sync_standby' && ok.replica)
    case '/quorum':
      return tagged(standby === 'quorum_standby' && ok.replica)
    case '/async':
    case '/asynchronous':
      // Without a view nobody can say that a standby is not a synchronous one.
      return tagged(picture.status.view !== null && standby === null && ok.replica)
    case '/read-only-quorum':
      return tagged(leads || (standby === 'quorum_standby' && ok.replica))
    case '/read-only-sync':
    case '/read-only-synchronous':
      return tagged(leads || (standby === 'sync_standby' && ok.replica))
    default:
      return false
  }
}

function conditions(picture: Picture, query: Target['query']): Conditions {
  const { status, role } = picture
  const replica = isReplicaOk(picture, query)
  if (!status.view && status.settings.paused) {
    const primary = role === 'primary'
    const standbyLeader = role === 'standby_leader'
    return { primary, standbyLeader, leader: primary || standbyLeader, replica }
  }
  if (!status.holdsLock) return { primary: false, standbyLeader: false, leader: false, replica }
  if (!status.settings.standbyCluster) return { primary: true, standbyLeader: false, leader: true, replica }
  return {
    primary: false,
    standbyLeader: role === 'replica' || role === 'standby_leader',
    leader: true,
    replica: false,
  }
}

function isReplicaOk(picture: Picture, query: Target['query']): boolean {
  const wanted = query.get('replication_state')
  return (
    picture.role === 'replica' &&
    picture.state === 'running' &&
    !isNoloadbalance(picture.status.configuredTags) &&
    !isLagging(picture, query.get('lag')) &&
    (wanted === undefined || wanted === picture.replicationState)
  )
}

function isLagging({ status, observation }: Picture, lag: string | undefined): boolean {
  const limit = lag === undefined ? undefined : size(lag)
  if (limit === undefined) return false
  const reference = maxLsn(status.view?.status.lastLsn, observation?.walReceiver?.latestEndLsn)
  return reference > 0 && reference > (observation?.replayedLsn ?? 0) + limit
}

const SIZES_KEPT_MAX = 100
const sizes = new Map<string, number | undefined>()

/** Bytes of a text such as `10MB`; load balancers send the same one for ever. */
function size(text: string): number | undefined {
  if (!sizes.has(text)) {
    if (sizes.size >= SIZES_KEPT_MAX) sizes.clear()
    sizes.set(text, parseInteger(text, 'B'))
  }
  return sizes.get(text)
}

/** Every `tag_<name>=<text>` must be a configured tag with exactly this text. */
function tagsMatch(configured: Tags, query: Target['query']): boolean {
  if (query.size === 0) return true
  const tags = publishedTags(configured)
  for (const [name, wanted] of query) {
    if (!name.startsWith('tag_')) continue
    const tag = name.slice(4)
    if (!Object.hasOwn(tags, tag) || tagText(tags[tag]) !== wanted) return false
  }
  return true
}

function tagText(value: Json | undefined): string {
  return typeof value === 'string' ? value : textForm(value).toLowerCase()
}
