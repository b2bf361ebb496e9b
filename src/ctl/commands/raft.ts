import { later } from '../../cluster/time.ts'
import type { Budget } from '../../ports/clock.ts'
import { defineCommand } from '../cli/command.ts'
import { optional, word } from '../cli/options.ts'
import { CtlError, UsageError } from '../errors.ts'
import type { RaftStatus, Session } from '../session.ts'
import { prettyTable } from '../table/pretty.ts'

/** Of one question, and of the whole change with all its steps. */
const ASK_MS = 10_000
const CHANGE_MS = 30_000
const PAUSE_MS = 300

type Action = 'add' | 'remove' | 'transfer'

/** The embedded Raft group (spec dcs.md 3.8, administration). */
export default defineCommand({
  description:
    'Shows the embedded Raft group (status), lets a running member into it (add), takes one out of it (remove), or ' +
    'hands the lead to another voter (transfer).',
  arguments: { action: word(['status', 'add', 'remove', 'transfer']), address: optional('HOST:PORT') },
  options: {},
  async run(session, { action, address }) {
    if (action === 'status') {
      if (address !== null) throw new UsageError(`Got unexpected extra argument (${address})`)
      showStatus(session, await ask(session, (budget) => session.raft.status(budget)))
      return
    }
    if (address === null) throw new UsageError("Missing argument 'HOST:PORT'.")
    await change(session, action, address)
  },
})

async function ask<T>(session: Session, question: (budget: Budget) => Promise<T>): Promise<T> {
  const { clock, signal } = session
  const deadline = later(clock.now(), ASK_MS)
  const time = clock.deadline(deadline, signal)
  return question({ deadline, signal: time.signal }).finally(time.done)
}

function showStatus({ terminal }: Session, status: RaftStatus): void {
  const columns = [
    { header: 'Member', align: 'left' },
    { header: 'Role', align: 'left' },
    { header: 'State', align: 'left' },
    { header: 'Log', align: 'right' },
  ] as const
  const own = (address: string): number | null => (address === status.self ? status.committed : null)
  const rows = status.members.map(({ address, isVoter, isLeader, isThere, match }) => [
    address,
    isLeader ? 'Leader' : isVoter ? 'Voter' : 'Learner',
    isThere || address === status.self ? 'connected' : 'not connected',
    String(match ?? own(address) ?? 'unknown'),
  ])
  terminal.write(prettyTable(columns, rows, ` Raft group, term ${status.term} `))
  terminal.write(`Told by ${status.self} (${status.role}): entry ${status.committed} is committed, `)
  terminal.write(`${status.logLength} entries in the log\n`)
  if (status.leader === null) terminal.write('No member leads the group\n')
}

/** A change has several steps, and each must be settled before the next. */
async function change(session: Session, action: Action, address: string): Promise<void> {
  const { clock, signal, terminal, raft } = session
  const end = later(clock.now(), CHANGE_MS)
  let reason = 'it takes too long'
  let isAsked = false
  while (clock.now() < end && !signal.aborted) {
    const status = await ask(session, (budget) => raft.status(budget))
    const member = status.members.find((one) => one.address === address)
    // Somebody who comes back with an empty disk is in the list, under what he was before: the group must be asked.
    const isThere = { add: member?.isVoter === true && isAsked, remove: !member && isAsked, transfer: member?.isLeader }
    if (isThere[action]) {
      terminal.write(`Success: ${address} ${DONE[action]}\n`)
      return
    }
    const answer = await ask(session, (budget) => raft.change(action, address, budget))
    // Once asked, being told that it is so already means only that it is under way.
    if (answer.kind === 'refused' && !(isAsked && action !== 'transfer')) throw new CtlError(answer.reason)
    if (answer.kind === 'under way') isAsked = true
    else reason = answer.reason
    await clock.sleep(PAUSE_MS, signal)
  }
  throw new CtlError(`${address}: ${reason}. See matriarchctl raft status`)
}

const DONE: Readonly<Record<Action, string>> = {
  add: 'is a voter of the group',
  remove: 'does not belong to the group any more',
  transfer: 'leads the group',
}
