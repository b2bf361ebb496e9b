import { isObject, type Json, type JsonObject, parseJson } from '../cluster/json.ts'
import { elapsedMs } from '../cluster/time.ts'
import { isTruthy, textForm } from '../cluster/values.ts'
import { callMember, QUICK_MS } from './calls.ts'
import { LiveLine } from './progress.ts'
import { nameList } from './selection.ts'
import type { Session } from './session.ts'
import type { Target } from './snapshot.ts'

/** Work that goes on in members after they accepted a request. */
export interface Work {
  /** Before the names of those that are not finished. */
  readonly announcement: string
  /** Printed when a member has finished. */
  finished(name: string): string
  /** By what the member says of itself (`GET /patroni`). */
  isDone(name: string, status: JsonObject): boolean
  readonly limitMs: number
}

const POLL_MS = 2000
/** A member that does not answer for so long counts as lost to us; its work may go on. */
const SILENCE_LIMIT_MS = 300_000

/** Waits until every member has finished, and tells how it goes. Those that do not are named on standard error. */
export async function follow(session: Session, members: readonly Target[], work: Work): Promise<void> {
  const { terminal, clock, log, signal } = session
  const line = new LiveLine(terminal)
  const began = clock.now()
  const heard = new Map(members.map((target) => [target, began]))
  let open = members
  let announced = ''
  while (open.length > 0) {
    if (nameList(open) !== announced) terminal.write(`${work.announcement}${nameList(open)}\n`)
    announced = nameList(open)
    await clock.sleep(POLL_MS, signal)
    signal.throwIfAborted()
    const details: string[] = []
    const left: Target[] = []
    for (const target of open) {
      const status = await statusOf(session, target)
      const now = clock.now()
      if (status) heard.set(target, now)
      const silentMs = elapsedMs(heard.get(target) ?? began, now)
      if (status && work.isDone(target.name, status)) {
        line.clear()
        terminal.write(`${work.finished(target.name)}\n`)
      } else if (silentMs > SILENCE_LIMIT_MS) {
        line.clear()
        giveUp(
          `Member ${target.name} has not answered for ${SILENCE_LIMIT_MS / 1000} seconds, no longer waiting for it`,
        )
      } else {
        left.push(target)
        details.push(`${target.name}: ${status ? describe(status) : 'no answer'}`)
      }
    }
    open = left
    const elapsed = elapsedMs(began, clock.now())
    if (open.length > 0)
      line.show(`${details.join('; ')} (${Math.round(elapsed / 1000)} s of at most ${work.limitMs / 1000} s)`)
    if (open.length > 0 && elapsed >= work.limitMs) {
      line.clear()
      giveUp(`Not finished after ${work.limitMs / 1000} seconds: ${details.join('; ')}. It goes on by itself`)
      return
    }
  }
  line.clear()

  function giveUp(text: string): void {
    log.warning(text)
    session.noteFailure()
  }
}

/** @returns `null` when the member does not say */
async function statusOf(session: Session, target: Target): Promise<JsonObject | null> {
  const answer = await callMember(session, target, {
    method: 'GET',
    endpoint: 'patroni',
    body: null,
    limitMs: QUICK_MS,
  })
  const document = answer.kind === 'answered' ? parseJson(answer.body) : undefined
  return isObject(document) && typeof document['state'] === 'string' ? document : null
}

function describe(status: JsonObject): string {
  const words = ['role', 'state', 'replication_state'].flatMap((key) =>
    isTruthy(status[key]) ? [textForm(status[key])] : [],
  )
  return [...words, ...copied(status['clone'])].join(', ')
}

/** Of a base backup under way: `1.2 GB of 4.8 GB (25%)`. */
function copied(clone: Json | undefined): readonly string[] {
  if (!isObject(clone) || typeof clone['done_bytes'] !== 'number') return []
  const { done_bytes: done, total_bytes: total } = clone
  if (typeof total !== 'number' || total === 0) return [sizeText(done)]
  return [`${sizeText(done)} of ${sizeText(total)} (${Math.floor((done / total) * 100)}%)`]
}

function sizeText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log(bytes) / Math.log(1024)))
  const size = bytes / 1024 ** power
  return `${power === 0 || size >= 100 ? Math.floor(size) : size.toFixed(1)} ${units[power]}`
}

/** Runs, and as a replica gets WAL. */
export function isInService(status: JsonObject): boolean {
  const { state, replication_state: replication } = status
  if (state !== 'running') return false
  return isLeading(status) || replication === 'streaming' || replication === 'in archive recovery'
}

export function isLeading({ role }: JsonObject): boolean {
  return role === 'primary' || role === 'master' || role === 'standby_leader'
}
