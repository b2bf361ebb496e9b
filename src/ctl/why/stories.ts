import { type JournalEvent, numberOf, textOf } from './events.ts'

export type StoryKind =
  | 'failover'
  | 'switchover'
  | 'demotion'
  | 'restart'
  | 'refusal'
  | 'bootstrap'
  | 'shutdown'
  /** The leader was lost, and nobody took over. */
  | 'leaderless'

/** Something that happened to the cluster, with everything that belongs to it. */
export interface Story {
  readonly kind: StoryKind
  /** The first event of it, milliseconds since 1970. */
  readonly from: number
  readonly until: number
  /** What it is named after, among smaller things. */
  readonly about?: string
  /** Whose part changed. */
  readonly subject: string
  /** Who led before, and who leads after; for a change of the leader. */
  readonly leaders: { readonly before: string | null; readonly after: string } | null
  readonly events: readonly JournalEvent[]
}

/** Before the lock was taken: what may have led to it. */
const CAUSE_MS = 180_000
/** After the lock was taken: promotion, and how the others came to follow. */
const CONSEQUENCE_MS = 60_000
/** Looks at candidates so long before a request belong to it. */
const LOOK_MS = 3000
/** Smaller things so close to each other are one story. */
const TOGETHER_MS = 30_000

/** Finds what is worth telling, oldest first. */
export function findStories(events: readonly JournalEvent[]): readonly Story[] {
  const changes = leaderChanges(events)
  const isTold = (event: JournalEvent): boolean =>
    changes.some(({ from, until }) => event.at >= from && event.at <= until)
  const rest = smallStories(
    events,
    events.filter((event) => !isTold(event)),
  )
  return [...changes, ...rest].sort((one, other) => one.from - other.from)
}

const isTaking = ({ kind, what, detail }: JournalEvent): boolean =>
  kind === 'asked' && (what === 'acquire lock' || what === 'take lock') && detail['answer'] === 'done'

/** The lock went to somebody: as that member wrote down, or as others saw where its journal cannot be read. */
interface Taking {
  readonly at: number
  readonly member: string
}

function takingsIn(events: readonly JournalEvent[]): readonly Taking[] {
  const own = events.filter(isTaking)
  const seen = events.flatMap(({ at, kind, what, detail }): Taking[] => {
    const member = kind === 'saw' && what === 'leader' ? textOf(detail['to']) : null
    const isKnown = own.some((one) => one.member === member && Math.abs(one.at - at) < CONSEQUENCE_MS)
    return member === null || isKnown ? [] : [{ at, member }]
  })
  const all = [...own, ...seen].sort((one, other) => one.at - other.at)
  // Several may have seen the same.
  return all.filter((one, i) => {
    const previous = all[i - 1]
    return !(previous && !own.some((known) => known === one) && previous.member === one.member)
  })
}

function leaderChanges(events: readonly JournalEvent[]): Story[] {
  const takings = takingsIn(events)
  const starts = takings.map((taking, i) => {
    const former = formerLeader(events, taking, takings[i - 1] ?? null)
    const since = Math.max(taking.at - CAUSE_MS, (takings[i - 1]?.at ?? -1) + 1)
    const before = events.filter(({ at }) => at >= since && at <= taking.at)
    // What it got over did not lead here.
    const wellAt = before.findLast((event) => isWell(event, former))?.at ?? since
    const request = before.findLast(({ what, member }) => what === 'accept request' && member === former)
    const cause = request ?? before.find((event) => event.at >= wellAt && isCause(event, former))
    return { taking, former, from: request ? firstLookAt(before, request) : (cause?.at ?? taking.at) }
  })
  return starts.map(({ taking, former, from }, i) => {
    const next = starts[i + 1]
    const limit = Math.min(taking.at + CONSEQUENCE_MS, next ? next.from - 1 : Number.POSITIVE_INFINITY)
    const untilNext = events.filter((event) => event.at >= from && event.at <= limit)
    const other = untilNext.find((event) => event.at > taking.at && isAnotherMatter(event, taking.member, former))
    const within = untilNext.filter((event) => !other || event.at < other.at)
    const until = Math.max(within.findLast(isNotable)?.at ?? 0, taking.at)
    const own = within.filter((event) => event.at <= until)
    const asked = own.some(({ what, at }) => what === 'accept request' && at <= taking.at)
    return {
      kind: own.some(({ what }) => what === 'win initialize') ? 'bootstrap' : asked ? 'switchover' : 'failover',
      from,
      until,
      subject: former ?? taking.member,
      leaders: { before: former, after: taking.member },
      events: own,
    }
  })
}

const isWell = ({ kind, what, member }: JournalEvent, former: string | null): boolean =>
  kind === 'result' && member === former && QUIET_RULES.includes(what)

/** Before a leader accepts a request it looks at those who could take over. */
function firstLookAt(events: readonly JournalEvent[], request: JournalEvent): number {
  const look = events.find(
    ({ kind, member, at }) => kind === 'considered' && member === request.member && at >= request.at - LOOK_MS,
  )
  return look?.at ?? request.at
}

const isLoss = ({ kind, what, detail }: JournalEvent): boolean =>
  kind === 'saw' && what === 'leader' && detail['to'] === null

/** While the others are still joining the new leader, something else has happened. */
function isAnotherMatter(event: JournalEvent, leader: string, former: string | null): boolean {
  const { what, member, detail } = event
  switch (what) {
    case 'leader':
      return isLoss(event) && detail['from'] === leader
    case 'restart':
    case 'refuse request':
    case 'accept request':
      return true
    case 'dismiss request':
      return detail['because'] !== null
    case 'PostgreSQL is not running':
      return member === leader && detail['holdsLock'] === true
    case 'start agent':
    case 'stop PostgreSQL for shutdown':
    case 'lease guard struck':
      return member !== former
    default:
      return false
  }
}

/** Who led before, as somebody saw it go, else as the change before said. */
function formerLeader(events: readonly JournalEvent[], taking: Taking, previous: Taking | null): string | null {
  const earliest = Math.max(taking.at - CAUSE_MS, (previous?.at ?? -1) + 1)
  // The last one: between two takings that are known somebody may have led whose journal has lost it.
  const seen = events.findLast((event) => isLoss(event) && event.at >= earliest && event.at <= taking.at)
  return textOf(seen?.detail['from']) ?? previous?.member ?? null
}

function isCause(event: JournalEvent, former: string | null): boolean {
  const { what, detail, member } = event
  switch (what) {
    case 'accept request':
    case 'win initialize':
      return true
    case 'demote':
    case 'stop PostgreSQL for shutdown':
    case 'store unreachable':
    case 'lease guard struck':
      return member === former
    case 'PostgreSQL is not running':
      return detail['holdsLock'] === true && member === former
    case 'leader':
      return isLoss(event) && detail['from'] === former
    default:
      return false
  }
}

const SMALL: Readonly<Record<string, StoryKind>> = {
  demote: 'demotion',
  'demote-fence': 'demotion',
  'lease guard struck': 'demotion',
  restart: 'restart',
  'PostgreSQL is not running': 'restart',
  'start-in-place': 'restart',
  'stop PostgreSQL for shutdown': 'shutdown',
  'start agent': 'restart',
  'refuse request': 'refusal',
  'dismiss request': 'refusal',
  'stand back': 'refusal',
  'open new cluster': 'bootstrap',
}
const WEIGHT: readonly StoryKind[] = ['refusal', 'shutdown', 'restart', 'bootstrap', 'demotion', 'leaderless']

/** What a smaller story is named after; `null`: nothing worth a story. */
function smallKind(event: JournalEvent): StoryKind | null {
  if (isLoss(event)) return 'leaderless'
  if (event.what === 'dismiss request' && event.detail['because'] === null) return null
  return Object.hasOwn(SMALL, event.what) ? (SMALL[event.what] ?? null) : null
}

function smallStories(all: readonly JournalEvent[], events: readonly JournalEvent[]): Story[] {
  const anchors = events.filter((event) => smallKind(event) !== null)
  const groups: JournalEvent[][] = []
  for (const anchor of anchors) {
    const group = groups.findLast((one) => belongsTo(anchor, one))
    if (group) group.push(anchor)
    else groups.push([anchor])
  }
  return groups.map((group) => {
    const main = group.reduce((one, other) => (weight(other) > weight(one) ? other : one))
    const from = (group[0] as JournalEvent).at
    const after = (group.at(-1) as JournalEvent).at + TOGETHER_MS
    const within = all.filter((event) => event.at >= from - 1000 && event.at <= after && events.includes(event))
    const until = within.findLast(isNotable)?.at ?? from
    const subject = (isLoss(main) ? textOf(main.detail['from']) : null) ?? main.member
    return {
      kind: smallKind(main) ?? 'restart',
      about: main.what,
      from,
      until,
      subject,
      leaders: null,
      events: within.filter(({ at }) => at <= until),
    }
  })
}

function weight(event: JournalEvent): number {
  return WEIGHT.indexOf(smallKind(event) ?? 'refusal')
}

const QUIET_RULES = ['leader-with-lock', 'following-leader', 'no-action', 'following-standby-leader']
const QUIET_RESULTS = [
  ...QUIET_RULES,
  'standby-leader-with-lock',
  'kept-lock-during-action',
  'action-in-progress',
  'unended',
  'shutdown',
]

/** Whether an event is told as a step of its own. */
export function isNotable({ kind, what, detail }: JournalEvent): boolean {
  if (kind === 'asked') return what !== 'renew lock' ? !what.startsWith('status of') : detail['answer'] !== 'done'
  if (kind === 'result') return !QUIET_RESULTS.includes(what)
  return true
}

/** The same again, or of the same member; a request that was refused only belongs to others like it. */
function belongsTo(anchor: JournalEvent, group: readonly JournalEvent[]): boolean {
  const last = group.at(-1)
  if (!last || anchor.at - last.at > TOGETHER_MS) return false
  if (REQUESTS.includes(anchor.what) || REQUESTS.includes(last.what))
    return REQUESTS.includes(anchor.what) && REQUESTS.includes(last.what)
  const kinds = group.map(smallKind)
  return (
    kinds.includes(smallKind(anchor)) ||
    group.some(({ member }) => member === anchor.member) ||
    (anchor.what === 'stand back' && kinds.includes('leaderless'))
  )
}

const REQUESTS = ['refuse request', 'dismiss request']

/** How long the steps of a story took, in milliseconds. */
export interface StoryTime {
  readonly what: string
  readonly ms: number
}

export function storyTimes(story: Story): readonly StoryTime[] {
  const { events, leaders } = story
  const taken = events.find(isTaking)
  const promoted = events.findLast(({ what, detail }) => what === 'end action' && detail['action'] === 'promote')
  const times: StoryTime[] = []
  const gone = events.find(({ kind, what, detail }) => kind === 'saw' && what === 'leader' && detail['to'] === null)
  const ttlMs = numberOf(gone?.detail['ttlMs'])
  if (leaders && gone && ttlMs !== null && gone.at === story.from)
    times.push({ what: `the lease of ${leaders.before ?? 'the leader'}, at most, before the first sign`, ms: ttlMs })
  if (leaders && taken) {
    times.push({ what: 'from the first sign to the new lock', ms: taken.at - story.from })
    if (promoted && promoted.at >= taken.at)
      times.push({ what: 'from the first sign to a new primary', ms: promoted.at - story.from })
  }
  for (const { member, what, detail } of events) {
    const ms = numberOf(detail['tookMs'])
    if (ms === null || ms < 1) continue
    if (what === 'end action') times.push({ what: `${member}: ${textOf(detail['action']) ?? 'action'}`, ms })
    if (what === 'stop PostgreSQL') times.push({ what: `${member}: stop PostgreSQL`, ms })
  }
  return times
}
