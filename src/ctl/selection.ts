import { CtlError } from './errors.ts'
import { membersOfRole, type RoleFilter } from './roles.ts'
import type { Session } from './session.ts'
import type { Snapshot, Target } from './snapshot.ts'
import { memberTable } from './table/member-table.ts'
import { askText, confirm } from './term/prompts.ts'

export type Action = 'reload' | 'restart' | 'reinitialize' | 'flush'

export interface SelectionRequest {
  readonly action: Action
  readonly names: readonly string[]
  readonly role: RoleFilter
  readonly force: boolean
}

/** Shows the cluster and settles which members are meant (spec ctl.md 7, steps 1 to 6). */
export async function selectMembers(
  session: Session,
  snapshot: Snapshot,
  { action, names, role, force }: SelectionRequest,
): Promise<Target[]> {
  const { terminal, log } = session
  const candidates = membersOfRole(snapshot, role)
  if (names.length === 0 && candidates.length === 0)
    throw new CtlError(`${snapshot.cluster} cluster doesn't have any members`)
  terminal.write(await memberTable(snapshot))
  const wanted = names.length > 0 ? names : await namesWithoutAny(session, candidates, { action, force })
  const selected = candidates.filter(({ name }) => wanted.includes(name))
  for (const name of names) {
    const found = selected.filter((one) => one.name === name)
    if (found.length === 0 && selected.length > 0)
      log.warning(
        `There is no member ${name}${role === 'any' ? '' : ` of role ${role}`} in cluster ${snapshot.cluster}`,
      )
    if (found.length > 1)
      log.warning(
        `Member ${name} exists in several groups (${found.map((one) => one.group.number).join(', ')}): all are selected`,
      )
  }
  if (names.length > 0 && selected.length === 0)
    throw new CtlError(
      action === 'reinitialize' ? 'No replica among provided members' : `No '${role}' among provided members`,
    )
  const stranger = wanted.find((name) => !candidates.some((one) => one.name === name))
  if (names.length === 0 && stranger !== undefined) throw new CtlError(`${stranger} is not a member of cluster`)
  return selected
}

/** Step 7; a restart asks its own question. */
export async function confirmMembers(session: Session, action: Action, members: readonly Target[]): Promise<void> {
  const question = `Are you sure you want to ${action} members ${nameList(members)}?`
  if (!(await confirm(session.terminal, question))) throw new CtlError(`Aborted ${action}`)
}

export function nameList(members: readonly Target[]): string {
  return members.map(({ name }) => name).join(', ')
}

/** To copy a database again is nothing to do to everybody at once: it needs a name. */
async function namesWithoutAny(
  session: Session,
  candidates: readonly Target[],
  { action, force }: Pick<SelectionRequest, 'action' | 'force'>,
): Promise<string[]> {
  if (action !== 'reinitialize') return candidates.map(({ name }) => name)
  if (force) {
    session.log.warning('No member was named: nothing is reinitialized')
    return []
  }
  return [await askText(session.terminal, `Which member do you want to reinitialize [${nameList(candidates)}]?`, '')]
}
