import type { JsonObject } from '../../cluster/json.ts'
import { printSeconds } from '../time-text.ts'
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
}

export function storyTitle(story: Story): string {
  const { kind, from, leaders, subject } = story
  const who = leaders ? (leaders.before === null ? leaders.after : `${leaders.before} -> ${leaders.after}`) : subject
  return `${TITLES[kind]} at ${printSeconds(from)}: ${who}`
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
    const text = stepWords(event)
    const topic = `${event.member} ${event.kind} ${event.what}`
    if (text === null || told.get(topic) === text) return []
    told.set(topic, text)
    return [{ at: event.at, member: event.member, text }]
  })
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
    ...considered.map(({ by, member, words }) => `    ${member} ${words} (as ${by} saw it)`),
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
