import { type JournalEvent, numberOf, textOf } from './events.ts'

export type StoryKind = 'failover' | 'switchover' | 'demotion' | 'restart' | 'refusal' | 'bootstrap' | 'shutdown'

/** Something that happened to the cluster, with everything that belongs to it. */
export interface Story {
  readonly kind: StoryKind
  /** The first event of it, milliseconds since 1970. */
  readonly from: number
  readonly until: number
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
    const earliest = Math.max(taking.at - CAUSE_MS, (takings[i - 1]?.at ?? -1) + 1)
    const cause = events.find((event) => event.at >= earliest && event.at <= taking.at && isCause(event, former))
    return { taking, former, from: cause?.at ?? taking.at }
  })
  return starts.map(({ taking, former, from }, i) => {
    const next = starts[i + 1]
    const limit = Math.min(taking.at + CONSEQUENCE_MS, next ? next.from - 1 : Number.POSITIVE_INFINITY)
    const within = events.filter((event) => event.at >= from && event.at <= limit)
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

/** Who led before, as somebody saw it go, else as the change before said. */
function formerLeader(events: readonly JournalEvent[], taking: Taking, previous: Taking | null): string | null {
  const earliest = Math.max(taking.at - CAUSE_MS, (previous?.at ?? -1) + 1)
  const seen = events.find(
    ({ at, kind, what, detail }) =>
      kind === 'saw' && what === 'leader' && at >= earliest && at <= taking.at && detail['to'] === null,
  )
  return textOf(seen?.detail['from']) ?? previous?.member ?? null
}

function isCause({ kind, what, detail, member }: JournalEvent, former: string | null): boolean {
  switch (what) {
    case 'accept request':
    case 'win initialize':
      return true
    case 'demote':
    case 'stop PostgreSQL for shutdown':
    case 'store unreachable':
      return member === former
    case 'PostgreSQL is not running':
      return detail['holdsLock'] === true && member === former
    case 'leader':
      return kind === 'saw' && detail['to'] === null
    default:
      return false
  }
}

const SMALL: Readonly<Record<string, StoryKind>> = {
  demote: 'demotion',
  'demote-fence': 'demotion',
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
const WEIGHT: readonly StoryKind[] = ['refusal', 'shutdown', 'restart', 'bootstrap', 'demotion']

function smallStories(all: readonly JournalEvent[], events: readonly JournalEvent[]): Story[] {
  const anchors = events.filter(({ what, detail }) =>
    what === 'dismiss request' ? detail['because'] !== null : Object.hasOwn(SMALL, what),
  )
  const groups: JournalEvent[][] = []
  for (const anchor of anchors) {
    const last = groups.at(-1)?.at(-1)
    if (last && anchor.at - last.at <= TOGETHER_MS) groups.at(-1)?.push(anchor)
    else groups.push([anchor])
  }
  return groups.map((group) => {
    const main = group.reduce((one, other) => (weight(other) > weight(one) ? other : one))
    const from = (group[0] as JournalEvent).at
    const after = (group.at(-1) as JournalEvent).at + TOGETHER_MS
    const within = all.filter((event) => event.at >= from - 1000 && event.at <= after && events.includes(event))
    const until = within.findLast(isNotable)?.at ?? from
    const subject = main.member
    return {
      kind: SMALL[main.what] ?? 'restart',
      from,
      until,
      subject,
      leaders: null,
      events: within.filter(({ at }) => at <= until),
    }
  })
}

function weight({ what }: JournalEvent): number {
  return WEIGHT.indexOf(SMALL[what] ?? 'refusal')
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
    if (ms === null) continue
    if (what === 'acquire lock' || what === 'take lock') times.push({ what: `${member}: take the lock`, ms })
    if (what === 'end action') times.push({ what: `${member}: ${textOf(detail['action']) ?? 'action'}`, ms })
    if (what === 'stop PostgreSQL') times.push({ what: `${member}: stop PostgreSQL`, ms })
  }
  return times
}
