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
  const said =
    answer === 'done'
      ? `done${took(detail)}`
      : answer === 'refused'
        ? `refused${reason ? `: ${reason}` : ''}`
        : `no usable answer${reason ? `: ${reason}` : ''}`
  return `asked the store to ${what}: ${said}`
}

function decidedWords(what: string, detail: JsonObject): string {
  const because = textOf(detail['because'])
  if (what === 'stand back') return `did not stand for leader: ${because ?? 'no reason was noted'}`
  if (what === 'refuse request') return `refused a request to switch over${aimed(detail)}: ${because ?? ''}`
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
      return `saw that PostgreSQL is not running (state ${textOf(detail['state']) ?? 'unknown'}, role ${textOf(detail['role']) ?? 'none'}${detail['holdsLock'] === true ? ', with the lock' : ''})`
    case 'store unreachable':
      return `got no answer from the store: ${textOf(detail['reason']) ?? ''}`
    case 'failover request':
      return `saw a request${aimed({ leader: detail['leader'] ?? null, candidate: detail['member'] ?? null })}`
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
      return `began to demote itself (${textOf(detail['mode']) ?? ''})`
    case 'stop PostgreSQL':
      return `stopped PostgreSQL (${textOf(detail['mode']) ?? ''}): ${textOf(detail['outcome']) ?? ''}${took(detail)}`
    case 'delete leader key':
      return `gave the leader key back: ${textOf(detail['outcome']) ?? ''}`
    case 'begin action':
      return `began to ${textOf(detail['action']) ?? 'act'}`.replace(/began to (\w+ing)\b/, 'began $1')
    case 'end action':
      return `ended ${textOf(detail['action']) ?? 'an action'}${took(detail)}`
    case 'promote':
      return `promotion: ${textOf(detail['outcome']) ?? ''}${numberOf(detail['timeline']) === null ? '' : `, timeline ${numberOf(detail['timeline'])}`}`
    case 'start agent':
      return `the agent was started${textOf(detail['version']) ? ` (version ${textOf(detail['version'])})` : ''}`
    default:
      return `${what}${others(detail)}`
  }
}

/** Why a member could or could not take over. */
export function verdictWords(detail: JsonObject): string {
  const bytes = difference(detail)
  const verdict = textOf(detail['verdict']) ?? ''
  switch (verdict) {
    case 'unreachable':
      return 'does not answer'
    case 'primary':
      return 'is a primary that still runs: nobody may take over'
    case 'ahead':
      return bytes === null ? 'is ahead' : `is ${bytes} bytes ahead`
    case 'behind':
      return bytes === null || bytes === 0 ? 'is behind' : `is ${bytes} bytes behind`
    case 'equal':
      return 'is as far, with no higher priority'
    case 'equal-with-priority':
      return 'is as far and has a higher priority'
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
  const last = story.events.findLast(({ what, kind }) => kind === 'asked' && what === 'acquire lock')?.at ?? Infinity
  for (const { kind, what, member, detail, at } of story.events) {
    if (kind !== 'considered' || (story.leaders && at > last && member !== story.leaders.after)) continue
    const verdict = textOf(detail['verdict']) ?? ''
    found.set(`${member} ${what}`, { by: member, member: what, verdict, words: verdictWords(detail) })
  }
  return [...found.values()]
}

/** The first sign, in one sentence. */
export function reasonWords(story: Story): string {
  const { events, leaders, subject } = story
  const of = (what: string): JournalEvent | undefined => events.find((event) => event.what === what)
  const request = of('accept request')
  if (request) return `${request.member} was asked for it${aimed(request.detail)}.`
  if (of('win initialize') || of('open new cluster')) return 'There was no cluster yet.'
  const refused = of('refuse request') ?? of('dismiss request')
  if (refused && !leaders) return `${refused.member} ${stepWords(refused) ?? ''}.`
  const back = of('stand back')
  if (back && story.kind === 'refusal') return `${back.member} ${stepWords(back) ?? ''}.`
  const stopped = of('stop PostgreSQL for shutdown')
  if (stopped) return `The agent of ${stopped.member} was told to end.`
  if (of('restart')) return `A restart of ${subject} was asked for.`
  const demotion = of('demote')
  const unreachable = events.find(({ what, at }) => what === 'store unreachable' && (!demotion || at <= demotion.at))
  if (unreachable && (!leaders || unreachable.member === leaders.before))
    return `${unreachable.member} got no answer from the store, so it could not know that its lock was still its own.`
  const dead = events.find(
    ({ what, member }) => what === 'PostgreSQL is not running' && (!leaders || member === leaders.before),
  )
  if (dead) return `PostgreSQL of ${dead.member} was not running.`
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
  const taking = events.find(({ what, detail }) => /^(acquire|take) lock$/.test(what) && detail['answer'] === 'done')
  const chosen = leaders
    ? results.find(({ member, at }) => member === leaders.after && at >= (taking?.at ?? 0))
    : (results.find(({ member }) => member === story.subject) ?? results[0])
  return chosen ? { member: chosen.member, rule: chosen.what, text: textOf(chosen.detail['text']) ?? '' } : null
}
