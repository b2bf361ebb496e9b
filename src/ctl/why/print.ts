import type { JsonObject } from '../../cluster/json.ts'
import { printSeconds } from '../time-text.ts'
import { type JournalEvent, textOf } from './events.ts'
import { type Story, storyTimes } from './stories.ts'
import { consideredIn, decidingRule, duration, reasonWords, stepWords } from './words.ts'

const TITLES: Readonly<Record<Story['kind'], string>> = {
  failover: 'Failover',
  switchover: 'Switchover',
  demotion: 'Demotion',
  restart: 'Restart',
  refusal: 'Refused',
  bootstrap: 'New cluster',
  shutdown: 'Shutdown',
  leaderless: 'Leader lost, nobody took over',
}

/** Of restarts there are several kinds. */
const SUBTITLES: Readonly<Record<string, string>> = {
  'start agent': 'Start of the agent',
  'PostgreSQL is not running': 'PostgreSQL had ended',
  'start-in-place': 'PostgreSQL had ended',
  restart: 'Restart of PostgreSQL',
}

export function storyTitle(story: Story): string {
  const { kind, from, leaders, subject, about } = story
  const who = leaders
    ? leaders.before === null
      ? leaders.after
      : `${leaders.before} -> ${leaders.after}${leaders.before === leaders.after ? ' again' : ''}`
    : subject
  return `${(about === undefined ? undefined : SUBTITLES[about]) ?? TITLES[kind]} at ${printSeconds(from)}: ${who}`
}

interface Step {
  readonly at: number
  readonly member: string
  readonly text: string
}

/** Steps in order; what a member says again and again is told once. */
function steps(story: Story): Step[] {
  const told = new Map<string, string>()
  return story.events.flatMap((event) => {
    const text = isPlain(event, story) ? null : stepWords(event)
    const topic = `${event.member} ${event.kind} ${event.what}`
    if (text === null || told.get(topic) === text) return []
    told.set(topic, text)
    return [{ at: event.at, member: event.member, text }]
  })
}

/** What goes without saying where the whole story is told. */
function isPlain({ kind, what, detail, member }: JournalEvent, { leaders }: Story): boolean {
  if (kind === 'saw' && what === 'leader') return textOf(detail['to']) === member
  // How the losers of a race voted decides nothing: their result says that they lost.
  return kind === 'considered' && leaders !== null && member !== leaders.after && member !== leaders.before
}

/** A story in words. */
export function storyText(story: Story): string {
  const rule = decidingRule(story)
  const width = Math.max(0, ...story.events.map(({ member }) => member.length))
  const considered = consideredIn(story)
  const lines = [
    storyTitle(story),
    `  Why: ${reasonWords(story)}`,
    ...(rule ? [`  Rule: ${rule.rule} at ${rule.member} ("${rule.text}")`] : []),
    ...(considered.length > 0 ? ['  Considered:'] : []),
    ...considered.map(({ by, member, words }) => `    ${member} ${words}${by === member ? '' : ` (as ${by} saw it)`}`),
    ...storyTimes(story).map(({ what, ms }) => `  Took ${duration(ms)}: ${what}`),
    '  Timeline:',
    ...steps(story).map(({ at, member, text }) => `    ${clockTime(at)}  ${member.padEnd(width)}  ${text}`),
  ]
  return `${lines.join('\n')}\n`
}

/** The same as a document. Times are ISO 8601. */
export function storyDocument(story: Story): JsonObject {
  return {
    kind: story.kind,
    from: new Date(story.from).toISOString(),
    until: new Date(story.until).toISOString(),
    subject: story.subject,
    leader_before: story.leaders?.before ?? null,
    leader_after: story.leaders?.after ?? null,
    why: reasonWords(story),
    rule: decidingRule(story),
    considered: consideredIn(story).map((one) => ({ ...one })),
    took: storyTimes(story).map((one) => ({ ...one })),
    timeline: steps(story).map(({ at, member, text }) => ({ at: new Date(at).toISOString(), member, text })),
  }
}

/** `HH:MM:SS.mmm`, local time. */
function clockTime(at: number): string {
  const milliseconds = String(Math.floor(at) % 1000).padStart(3, '0')
  return `${printSeconds(at).slice(11)}.${milliseconds}`
}
