import type { Json, JsonObject } from '../../cluster/json.ts'
import { type JournalEvent, numberOf, textOf } from './events.ts'
import { isNotable, type Story } from './stories.ts'

/** What is said of a member that might have taken over. */
export interface Considered {
  readonly by: string
  readonly member: string
  readonly verdict: string
  readonly words: string
}

/** One step of a story; `null`: nothing to say of it. */
export function stepWords(event: JournalEvent): string | null {
  if (!isNotable(event)) return null
  const { kind, what, detail } = event
  switch (kind) {
    case 'result':
      return `${textOf(detail['text']) ?? what} [rule ${what}]`
    case 'considered':
      return `considered ${what}: ${verdictWords(detail)}`
    case 'asked':
      return askedWords(what, detail)
    case 'decided':
      return decidedWords(what, detail)
    case 'saw':
      return sawWords(what, detail)
    case 'did':
      return didWords(what, detail)
  }
}

function askedWords(what: string, detail: JsonObject): string {
  const answer = textOf(detail['answer'])
  const reason = textOf(detail['reason'])
  const [wish, gained, missed] = ASKED[what] ?? [what, `${what}: done`, `${what}: refused`]
  if (answer === 'done') return gained
  if (answer === 'refused') return `${missed}${reason ? `: ${reason}` : ''}`
  return `asked the store to ${wish} and got no usable answer${reason ? `: ${reason}` : ''}`
}

const ASKED: Readonly<Record<string, readonly [wish: string, gained: string, missed: string]>> = {
  'acquire lock': ['give it the leader key', 'got the leader key', 'did not get the leader key'],
  'take lock': ['give it the leader key', 'got the leader key', 'did not get the leader key'],
  'renew lock': ['renew its leader key', 'renewed its leader key', 'lost the leader key'],
}

function decidedWords(what: string, detail: JsonObject): string {
  const because = textOf(detail['because'])
  if (what === 'stand back') return `did not stand for leader: ${because ?? 'no reason was noted'}`
  if (what === 'refuse request') return `refused a request to switch over${aimed(detail)}: ${because ?? ''}`
  if (what === 'history diverged') {
    const point = numberOf(detail['switchpoint'])
    return `its WAL is not part of the leader's${point === null ? '' : `, from ${position(point)} on`}: it can not follow as it is (${because ?? ''})`
  }
  if (what === 'history is a prefix of the leader') return "can follow the leader: its WAL is part of the leader's"
  return because ? `${what}: ${because}` : what
}

function sawWords(what: string, detail: JsonObject): string {
  switch (what) {
    case 'leader': {
      const from = textOf(detail['from'])
      const to = textOf(detail['to'])
      const ttl = numberOf(detail['ttlMs'])
      if (to !== null) return `saw that ${to} has the leader key${from ? `, after ${from}` : ''}`
      return `saw that the leader key of ${from ?? 'nobody'} is gone${ttl === null ? '' : ` (leases last ${ttl / 1000} s)`}`
    }
    case 'PostgreSQL is not running':
      return `saw that PostgreSQL does not run (it was ${textOf(detail['role']) ?? 'without a role'}${detail['holdsLock'] === true ? ', with the leader key' : ''})`
    case 'lease guard struck':
      return 'the lease guard killed PostgreSQL, for the agent had not renewed its lease in time'
    case 'store unreachable':
      return `got no answer from the store: ${textOf(detail['reason']) ?? ''}`
    case 'failover request':
      return `saw the request${aimed({ leader: detail['leader'] ?? null, candidate: detail['member'] ?? null })}`
    default:
      return `saw ${what}${others(detail)}`
  }
}

function didWords(what: string, detail: JsonObject): string {
  switch (what) {
    case 'accept request':
      return `accepted a ${textOf(detail['action']) ?? 'request'}${aimed(detail)}`
    case 'dismiss request':
      return `dismissed a request: ${textOf(detail['because']) ?? 'its time is over'}`
    case 'demote':
      return `began to demote itself${MODES[textOf(detail['mode']) ?? ''] ?? ''}`
    case 'stop PostgreSQL':
      return `${textOf(detail['outcome']) === 'stopped' ? 'stopped PostgreSQL' : `did not stop PostgreSQL: ${textOf(detail['outcome']) ?? ''}`} (${textOf(detail['mode']) ?? ''}, ${duration(numberOf(detail['tookMs']) ?? 0)})`
    case 'delete leader key':
      return textOf(detail['outcome']) === 'done'
        ? 'gave the leader key back'
        : `tried to give the leader key back: ${textOf(detail['outcome']) ?? ''}`
    case 'begin action':
      return `began: ${textOf(detail['action']) ?? 'something'}`
    case 'end action':
      return `ended: ${textOf(detail['action']) ?? 'something'}${took(detail)}`
    case 'win initialize':
      return 'may make the new cluster: it was the first to say so in the store'
    case 'open new cluster':
      return `opened the new cluster, system identifier ${plain(detail['systemIdentifier'] ?? '')}`
    case 'reserve timeline':
      return `reserved timeline ${numberOf(detail['timeline']) ?? ''}${textOf(detail['outcome']) === 'done' ? '' : `: ${textOf(detail['outcome']) ?? ''}`}`
    case 'throw away WAL': {
      const from = numberOf(detail['from'])
      const to = numberOf(detail['to'])
      return `gives up what only it has: WAL of timeline ${numberOf(detail['timeline']) ?? '?'} from ${position(from)} to ${position(to)}, by ${plain(detail['by'] ?? '')}`
    }
    case 'pg_rewind':
      return `pg_rewind from ${textOf(detail['source']) ?? '?'}: ${textOf(detail['outcome']) ?? ''}`
    case 'clone':
      return `copied the data ${textOf(detail['source']) ?? ''}${detail['cloned'] === true ? '' : ': failed'}`
    case 'ask failsafe':
      return `asked ${list(detail['asked'])} whether it may go on without the store; agreed: ${list(detail['accepted']) || 'nobody'}`
    case 'set synchronous_standby_names':
      return `set synchronous_standby_names to ${textOf(detail['text']) ?? 'nothing'}`
    case 'restart':
      return 'was asked to restart PostgreSQL'
    case 'stop PostgreSQL for shutdown':
      return `stopped PostgreSQL, for its agent was told to end: ${textOf(detail['outcome']) ?? ''}`
    case 'promote':
      return `promotion: ${textOf(detail['outcome']) ?? ''}${numberOf(detail['timeline']) === null ? '' : `, timeline ${numberOf(detail['timeline'])}`}`
    case 'start agent':
      return `the agent was started${textOf(detail['version']) ? ` (version ${textOf(detail['version'])})` : ''}`
    default:
      return `${what}${others(detail)}`
  }
}

/** How a primary demotes itself (spec ha.md 9). */
const MODES: Readonly<Record<string, string>> = {
  graceful: ' in good order',
  immediate: ' at once, and gives the leader key away',
  'immediate-nolock': ' at once, for it no longer has the leader key',
  'demote-cluster': ' to a standby leader',
  offline: ' at once, for it can not know whether it still has the leader key',
}

/** As PostgreSQL prints it. */
function position(lsn: number | null): string {
  if (lsn === null) return '?'
  const [high, low] = [Math.floor(lsn / 2 ** 32), lsn % 2 ** 32]
  return `${high.toString(16)}/${low.toString(16)}`.toUpperCase()
}

const list = (value: Json | undefined): string => (Array.isArray(value) ? value.map(plain).join(', ') : '')

/** Why a member could or could not take over. */
export function verdictWords(detail: JsonObject): string {
  const bytes = difference(detail)
  const verdict = textOf(detail['verdict']) ?? ''
  switch (verdict) {
    case 'unreachable':
      return 'does not answer'
    case 'primary':
      return 'is a primary that still runs: nobody may take over'
    case 'passed-over':
      return 'is on a timeline that was passed over: nothing was acknowledged there'
    case 'ahead':
      return bytes === null ? 'is ahead' : `is ${bytes} bytes ahead`
    case 'behind':
      return bytes === null || bytes === 0 ? 'is behind' : `is ${bytes} bytes behind`
    case 'equal':
      return 'has as much WAL, and no higher priority'
    case 'equal-with-priority':
      return 'has as much WAL and a higher priority'
    case 'not-allowed':
      return 'must not be promoted (nofailover)'
    case 'watchdog-failed':
      return 'has a watchdog that does not work'
    case 'not-synchronous':
      return 'is no synchronous standby'
    case 'too-far-behind':
      return bytes === null ? 'is too far behind' : `is too far behind: ${bytes} bytes`
    case 'old-timeline':
      return `is on an old timeline (${numberOf(detail['timeline']) ?? 'unknown'})`
    case 'fit':
      return 'could take over'
    default:
      return verdict
  }
}

function difference(detail: JsonObject): number | null {
  const theirs = numberOf(detail['lsn'])
  const own = numberOf(detail['ownLsn'])
  return theirs === null || own === null ? null : Math.abs(theirs - own)
}

function aimed(detail: JsonObject): string {
  const leader = textOf(detail['leader'])
  const candidate = textOf(detail['candidate'])
  return `${leader ? ` from ${leader}` : ''}${candidate ? ` to ${candidate}` : ''}`
}

function took(detail: JsonObject): string {
  const ms = numberOf(detail['tookMs'])
  return ms === null ? '' : ` after ${duration(ms)}`
}

function others(detail: JsonObject): string {
  const shown = Object.entries(detail).map(([key, value]) => `${key} ${plain(value)}`)
  return shown.length === 0 ? '' : ` (${shown.join(', ')})`
}

function plain(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  return ms < 60_000
    ? `${(ms / 1000).toFixed(1)} s`
    : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`
}

/** Who was looked at besides the one who took over; the last word about each. */
export function consideredIn(story: Story): readonly Considered[] {
  const found = new Map<string, Considered>()
  const taken = story.events.find(
    ({ what, kind, detail }) => kind === 'asked' && TAKING.test(what) && detail['answer'] === 'done',
  )
  const last = taken?.at ?? Infinity
  const { before, after } = story.leaders ?? {}
  // Who handed over chose; else who got the key. Where their journals can not be read, all that is known is told.
  const looked = story.events.filter(({ kind }) => kind === 'considered').map(({ member }) => member)
  const known = [before, after].filter((member) => typeof member === 'string' && looked.includes(member))
  const deciders = known.length > 0 ? known : looked
  for (const { kind, what, member, detail, at } of story.events) {
    if (what === 'stand back') {
      const words = `did not stand for leader: ${textOf(detail['because']) ?? ''}`
      found.set(`${member} ${member}`, { by: member, member, verdict: 'stood-back', words })
    }
    if (kind !== 'considered' || (story.leaders && (at > last || !deciders.includes(member)))) continue
    const verdict = textOf(detail['verdict']) ?? ''
    found.set(`${member} ${what}`, { by: member, member: what, verdict, words: verdictWords(detail) })
  }
  return [...found.values()]
}

const TAKING = /^(acquire|take) lock$/

/** The first sign, in one sentence. */
export function reasonWords(story: Story): string {
  const { leaders, subject } = story
  const takenAt = story.events.find(
    ({ kind, what, detail }) => kind === 'asked' && TAKING.test(what) && detail['answer'] === 'done',
  )?.at
  // What the former leader did when it came back is no reason.
  const events = story.events.filter(({ at }) => !leaders || takenAt === undefined || at <= takenAt)
  const of = (what: string): JournalEvent | undefined => events.find((event) => event.what === what)
  const request = of('accept request')
  if (request)
    return `A ${textOf(request.detail['action']) ?? 'change of the leader'}${aimed({ ...request.detail, leader: request.member })} was asked for.`
  if (of('win initialize') || of('open new cluster')) return 'There was no cluster yet.'
  const refused = of('refuse request') ?? of('dismiss request')
  if (refused && !leaders) return `${refused.member} ${stepWords(refused) ?? ''}.`
  const back = of('stand back')
  if (back && story.kind === 'refusal') return `${back.member} ${stepWords(back) ?? ''}.`
  const stopped = of('stop PostgreSQL for shutdown')
  if (stopped) return `The agent of ${stopped.member} was told to end.`
  if (of('restart')) return `A restart of ${subject} was asked for.`
  const struck = events.find(
    ({ what, member }) => what === 'lease guard struck' && (!leaders || member === leaders.before),
  )
  if (struck)
    return `The agent of ${struck.member} no longer renewed the lease: it had been killed, was stopped or had no time. So the lease guard killed PostgreSQL before another member could become primary.`
  const demotion = of('demote')
  const unreachable = events.find(({ what, at }) => what === 'store unreachable' && (!demotion || at <= demotion.at))
  if (unreachable && (!leaders || unreachable.member === leaders.before))
    return `${unreachable.member} got no answer from the store, so it could not know that its lock was still its own.`
  const dead = events.find(
    ({ what, member, detail }) =>
      what === 'PostgreSQL is not running' && (!leaders || (member === leaders.before && detail['holdsLock'] === true)),
  )
  if (dead)
    return `PostgreSQL of ${dead.member} had ended${dead.detail['holdsLock'] === true ? ' although it was the primary' : ''}.`
  const gone = events.find(({ what, detail }) => what === 'leader' && detail['to'] === null)
  if (gone) {
    const ttl = numberOf(gone.detail['ttlMs'])
    const lease = ttl === null ? 'its lease' : `its lease of ${ttl / 1000} s`
    return `${textOf(gone.detail['from']) ?? 'The leader'} did not renew ${lease}: its agent, its host or its way to the store was gone.`
  }
  const started = of('start agent')
  if (started) return `The agent of ${started.member} was started.`
  return leaders ? 'Nobody had the leader key.' : 'The journal does not say.'
}

/** The rule by which it was decided, with its words. */
export function decidingRule(
  story: Story,
): { readonly member: string; readonly rule: string; readonly text: string } | null {
  const { events, leaders } = story
  const results = events.filter(
    ({ kind, what }) => kind === 'result' && isNotable({ at: 0, member: '', kind, what, detail: {} }),
  )
  const taking = events.find(({ what, detail }) => TAKING.test(what) && detail['answer'] === 'done')
  const chosen = leaders
    ? results.find(({ member, at }) => member === leaders.after && at >= (taking?.at ?? 0))
    : (results.find(({ member }) => member === story.subject) ?? results[0])
  return chosen ? { member: chosen.member, rule: chosen.what, text: textOf(chosen.detail['text']) ?? '' } : null
}
