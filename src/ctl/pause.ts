import { later } from '../cluster/time.ts'
import { isLocked, memberNamed } from '../cluster/view.ts'
import { callMember, QUICK_MS } from './calls.ts'
import { CtlError } from './errors.ts'
import { groupOrConfigured, readSnapshot } from './reading.ts'
import { leaderFirst } from './roles.ts'
import type { MemberAnswer, MemberCall, Session } from './session.ts'
import { type Group, loopWaitSeconds, type Target } from './snapshot.ts'

const POLL_MS = 1000

/** Switches automatic failover off or on (spec ctl.md 8.9). */
export async function setPause(
  session: Session,
  paused: boolean,
  { cluster, group: given, wait }: { readonly cluster: string; readonly group: number | null; readonly wait: boolean },
): Promise<void> {
  const { terminal } = session
  const group = groupOrConfigured(session, given)
  const before = (await readSnapshot(session, cluster, group)).groups[0]
  if (before.settings.paused === paused) throw new CtlError(`Cluster is ${paused ? 'already paused' : 'not paused'}`)
  // An agent that has been started since its key was gone knows nothing of a primary that was left in pause.
  if (!paused && !isLocked(before.view))
    session.log.warning(
      'Nobody has the lock. A primary that runs without its agent? Start its agent at once, or stop it',
    )
  const body = { pause: paused ? true : null }
  const answer = await firstAnswer(session, before, { method: 'PATCH', endpoint: 'config', body, limitMs: QUICK_MS })
  if (answer.status !== 200) {
    const details = `status code=${answer.status}, (${answer.body.trimEnd()})`
    terminal.write(`Failed: ${paused ? 'pause' : 'resume'} cluster management ${details}\n`)
    session.noteFailure()
    return
  }
  const isSure = !wait || (await waitForAll(session, before, paused, { cluster, group }))
  if (isSure) terminal.write(`Success: cluster management is ${paused ? 'paused' : 'resumed'}\n`)
}

type Answered = Extract<MemberAnswer, { kind: 'answered' }>

/** Asks one member after the other, the leader first, until one answers whatever it is. */
export async function firstAnswer(session: Session, group: Group, call: MemberCall): Promise<Answered> {
  for (const target of leaderFirst(group)) {
    const answer = await callMember(session, target, call)
    if (answer.kind === 'answered') return answer
    session.log.warning(answer.reason)
    session.log.warning(`Member ${target.name} is not accessible`)
  }
  throw new CtlError('Can not find accessible cluster member')
}

/** @returns whether to announce success; members that did not say so by then are named on standard error */
async function waitForAll(
  session: Session,
  before: Group,
  paused: boolean,
  { cluster, group }: { readonly cluster: string; readonly group: number | null },
): Promise<boolean> {
  const { terminal, clock, log } = session
  const action = paused ? 'pause' : 'resume'
  terminal.write(`'${action}' request sent, waiting until it is recognized by all nodes\n`)
  const seconds = loopWaitSeconds(before)
  const deadline = later(clock.now(), (seconds + 1) * 1000)
  const asked = leaderFirst(before)
  for (;;) {
    const now = (await readSnapshot(session, cluster, group)).groups[0]
    const open = asked.filter(({ name }) => memberNamed(now.view, name)?.data.paused === !paused)
    if (open.length === 0) return true
    if (clock.now() >= deadline) {
      const touched = open.filter((target) => isTouched(target, now))
      if (touched.length > 0) {
        const names = touched.map(({ name }) => name).join(', ')
        terminal.write(`${names} members didn't recognized pause state after ${seconds} seconds\n`)
        session.noteFailure()
        return false
      }
      log.warning(`No word yet from ${open.map(({ name }) => name).join(', ')}`)
      return true
    }
    await clock.sleep(Math.min(POLL_MS, Math.max(0, deadline - clock.now())), session.signal)
    session.signal.throwIfAborted()
  }
}

/** Whether the member has written its key since the request: then it does know, or should. */
function isTouched(target: Target, now: Group): boolean {
  return memberNamed(now.view, target.name)?.version !== target.member.version
}
