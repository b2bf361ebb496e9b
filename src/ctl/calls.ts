import { statusHint, withHint } from './hints.ts'
import { withProgress } from './progress.ts'
import type { MemberAnswer, MemberCall, Session } from './session.ts'
import type { Target } from './snapshot.ts'

/** For requests that a member answers at once. */
export const QUICK_MS = 10_000

/** One request to a member's REST server; a member without an address is as good as one that cannot be reached. */
export async function callMember(
  session: Session,
  target: Pick<Target, 'name' | 'member'>,
  call: MemberCall,
): Promise<MemberAnswer> {
  const { apiUrl } = target.member.data
  if (apiUrl === null) return { kind: 'not sent', reason: `member ${target.name} has no REST address` }
  const answer = await withProgress(session, `Waiting for member ${target.name}`, call.limitMs, () =>
    session.members.call(apiUrl, call),
  )
  return answer.kind === 'answered' ? answer : { ...answer, reason: withHint(answer.reason) }
}

/** Prints what became of a request that did not succeed; the exit code stays what it is (spec ctl.md 7). */
export function reportFailure(session: Session, what: string, answer: MemberAnswer): void {
  const details =
    answer.kind === 'answered' ? `status code=${answer.status}, (${answer.body.trimEnd()})` : answer.reason
  session.terminal.write(`Failed: ${what}, ${details}\n`)
  const hint = answer.kind === 'answered' ? statusHint(answer.status) : null
  if (hint !== null) session.log.warning(hint)
  session.noteFailure()
}

export function isAnswer(answer: MemberAnswer, ...statuses: readonly number[]): boolean {
  return answer.kind === 'answered' && statuses.includes(answer.status)
}
