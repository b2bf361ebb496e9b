import { isObject, type Json, parseJson, printJson } from '../../cluster/json.ts'
import { parseRecord } from '../../ports/journal-records.ts'
import { callMember, QUICK_MS } from '../calls.ts'
import { defineCommand } from '../cli/command.ts'
import { flag, integer, optional, text } from '../cli/options.ts'
import { CtlError } from '../errors.ts'
import { clusterName, groupOrConfigured, readSnapshot } from '../reading.ts'
import type { MemberAnswer } from '../session.ts'
import { allTargets, type Snapshot } from '../snapshot.ts'
import { type MemberJournal, mergedEvents } from '../why/events.ts'
import { storyDocument, storyText, storyTitle } from '../why/print.ts'
import { findStories } from '../why/stories.ts'

/** Earlier stories that are named below the last one. */
const EARLIER_MAX = 5

/** What happened and why, told from the journals of all members. */
export default defineCommand({
  description:
    'Tell why the last failover, switchover, demotion, refusal or restart happened: what was seen, which rule decided, who else was considered, how long it took.',
  arguments: { cluster: optional('CLUSTER_NAME') },
  options: {
    group: integer('--group', 'Citus group'),
    json: flag('--json', 'Print a JSON document'),
    since: text('--since', 'Tell everything since then: a time with its zone, or 30m, 2h, 7d ago'),
  },
  async run(session, args, { group, json, since }) {
    const { terminal, clock } = session
    const sinceMs = since === null ? null : moment(since, clock.wallMs())
    const name = clusterName(session, args.cluster)
    const snapshot = await readSnapshot(session, name, groupOrConfigured(session, group))
    const targets = allTargets(snapshot)
    if (targets.length === 0) throw new CtlError(`${name} cluster doesn't have any members`)
    const answers = await Promise.all(
      targets.map(async (target) => {
        const call = { method: 'GET', endpoint: 'journal', body: null, limitMs: QUICK_MS } as const
        return { member: target.name, journal: journalOf(await callMember(session, target, call)) }
      }),
    )
    const journals = answers.flatMap(({ member, journal }): MemberJournal[] =>
      typeof journal === 'string' ? [] : [{ member, records: journal }],
    )
    const unanswered = answers.flatMap(({ member, journal }) =>
      typeof journal === 'string' ? [{ member, reason: journal }] : [],
    )
    const found = findStories(mergedEvents(journals))
    const stories = sinceMs === null ? found.slice(-1) : found.filter(({ until }) => until >= sinceMs)
    const gone = [...new Set(stories.flatMap(({ leaders }) => leaders?.before ?? []))]
      .filter((member) => !targets.some((target) => target.name === member))
      .map((member) => ({
        member,
        reason: 'it is not in the store now, so its agent does not run or does not reach the store',
      }))
    const silent = [...unanswered, ...gone]
    if (json) {
      const document = { cluster: name, stories: stories.map(storyDocument), unanswered: silent }
      terminal.write(`${JSON.stringify(JSON.parse(printJson(document)), null, 2)}\n`)
      return
    }
    terminal.write(nowWords(snapshot))
    for (const { member, reason } of silent) terminal.write(`${member} tells nothing: ${reason}\n`)
    if (stories.length === 0) terminal.write(sinceMs === null ? NOTHING : `Nothing has happened since ${since}.\n`)
    terminal.write(stories.map(storyText).join('\n'))
    const earlier = sinceMs === null ? found.slice(0, -1).slice(-EARLIER_MAX).toReversed() : []
    if (earlier.length > 0)
      terminal.write(`\nBefore that (--since tells more):\n${earlier.map((one) => `  ${storyTitle(one)}\n`).join('')}`)
  },
})

/** What the reader wants to know first: how it is now. */
function nowWords({ groups }: Snapshot): string {
  const rows = groups.flatMap((group) => group.rows)
  const leads = rows.filter(({ role }) => role === 'leader' || role === 'standby_leader')
  const others = rows.filter((row) => !leads.includes(row)).map(({ name, state }) => `${name} ${state}`)
  const leader = leads.map(({ name, state }) => `${name} leads${state === 'running' ? '' : ` (${state})`}`).join(', ')
  return `Now: ${[leader || 'nobody leads', ...others].join(', ')}.\n`
}

const NOTHING = 'The journals hold no failover, switchover, demotion, refusal or restart.\n'

function journalOf(answer: MemberAnswer): ReturnType<typeof records> | string {
  if (answer.kind !== 'answered') return answer.reason
  const document = parseJson(answer.body)
  if (!isObject(document) || !Array.isArray(document['records'])) return 'it keeps no journal (another agent?)'
  return records(document['records'] as readonly Json[])
}

function records(given: readonly Json[]): NonNullable<ReturnType<typeof parseRecord>>[] {
  return given.map(parseRecord).filter((record) => record !== null)
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function moment(since: string, nowMs: number): number {
  const ago = /^(\d+)\s*([smhd])$/.exec(since)
  if (ago) return nowMs - Number(ago[1]) * (UNITS[ago[2] as string] as number)
  const at = Date.parse(since)
  if (/^\d{4}-\d\d-\d\d/.test(since) && Number.isFinite(at)) return at
  throw new CtlError(`Unable to parse --since ${since}: a time like 2026-01-31T14:00:00Z, or 30m, 2h, 7d is expected`)
}
