import { isObject, type JsonObject, parseJson } from '../../cluster/json.ts'
import { callMember, isAnswer, QUICK_MS, reportFailure } from '../calls.ts'
import { defineCommand } from '../cli/command.ts'
import { flag, integer, required, variadic } from '../cli/options.ts'
import { readSnapshot } from '../reading.ts'
import { confirmMembers, nameList, selectMembers } from '../selection.ts'
import type { MemberAnswer, Session } from '../session.ts'
import type { Target } from '../snapshot.ts'
import { confirm } from '../term/prompts.ts'

const POLL_MS = 2000
/** After so long without an answer a member counts as lost to us; its copy may go on. */
const SILENCE_LIMIT_MS = 300_000

/** Spec ctl.md 8.12. */
export default defineCommand({
  description: 'Build replicas anew from a copy of the database.',
  arguments: { cluster: required('CLUSTER_NAME'), members: variadic('MEMBER_NAMES') },
  options: {
    group: integer('--group', 'Citus group'),
    force: flag('--force', 'Do not ask for confirmation at any point'),
    fromLeader: flag('--from-leader', 'Get basebackup from the leader'),
    wait: flag('--wait', 'Wait until reinitialization completes'),
  },
  async run(session, args, { group, force, fromLeader, wait }) {
    const snapshot = await readSnapshot(session, args.cluster, group)
    const request = { action: 'reinitialize', names: args.members, role: 'replica', force } as const
    const selected = await selectMembers(session, snapshot, request)
    if (!force) await confirmMembers(session, 'reinitialize', selected)
    const started: Target[] = []
    for (const target of selected) if (await reinitialize(session, target, { force, fromLeader })) started.push(target)
    if (wait) await waitForCompletion(session, started)
  },
})

async function reinitialize(
  session: Session,
  target: Target,
  { force, fromLeader }: { readonly force: boolean; readonly fromLeader: boolean },
): Promise<boolean> {
  const { terminal } = session
  const request = (forced: boolean): Promise<MemberAnswer> => {
    const body: JsonObject = { force: forced, from_leader: fromLeader }
    return callMember(session, target, { method: 'POST', endpoint: 'reinitialize', body, limitMs: QUICK_MS })
  }
  let answer = await request(force)
  if (!force && isBusy(answer)) {
    reportFailure(session, `reinitialize for member ${target.name}`, answer)
    if (!(await confirm(terminal, 'Do you want to cancel it and reinitialize anyway?'))) return false
    answer = await request(true)
  }
  if (answer.kind === 'answered' && answer.status < 400) {
    terminal.write(`Success: reinitialize for member ${target.name}\n`)
    return true
  }
  reportFailure(session, `reinitialize for member ${target.name}`, answer)
  return false
}

function isBusy(answer: MemberAnswer): boolean {
  return answer.kind === 'answered' && answer.status >= 400 && answer.body.trimEnd().endsWith(' already in progress')
}

async function waitForCompletion(session: Session, started: readonly Target[]): Promise<void> {
  const { terminal, clock, log } = session
  let open = started
  let announced = ''
  const heard = new Map(started.map((target) => [target, clock.now()]))
  while (open.length > 0) {
    if (nameList(open) !== announced) terminal.write(`Waiting for reinitialize to complete on: ${nameList(open)}\n`)
    announced = nameList(open)
    await clock.sleep(POLL_MS, session.signal)
    session.signal.throwIfAborted()
    const left: Target[] = []
    for (const target of open) {
      const state = await stateOf(session, target)
      if (state !== null) heard.set(target, clock.now())
      if (state !== null && state !== 'creating replica') {
        terminal.write(`Reinitialize is completed on: ${target.name}\n`)
      } else if (clock.now() - (heard.get(target) as number) > SILENCE_LIMIT_MS) {
        log.warning(
          `Member ${target.name} has not answered for ${SILENCE_LIMIT_MS / 1000} seconds, no longer waiting for it`,
        )
        session.noteFailure()
      } else left.push(target)
    }
    open = left
  }
}

/** @returns `null` when the member does not say */
async function stateOf(session: Session, target: Target): Promise<string | null> {
  const answer = await callMember(session, target, {
    method: 'GET',
    endpoint: 'patroni',
    body: null,
    limitMs: QUICK_MS,
  })
  const document = isAnswer(answer, 200, 503) && answer.kind === 'answered' ? parseJson(answer.body) : undefined
  return isObject(document) && typeof document['state'] === 'string' ? document['state'] : null
}
