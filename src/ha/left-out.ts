import { failsafeMembers } from '../cluster/view.ts'
import type { PeerStatus } from '../ports/peers.ts'
import { whoMayRunWithoutStore } from './failsafe.ts'
import { mayRunWithoutStore } from './peer-limits.ts'
import { type Cycle, considered } from './world.ts'

/**
 * A leader without a store would not have asked this member for its consent (spec ha.md 6.2). In a standby cluster nobody
 * takes writes, with a store or without one.
 */
export function isLeftOut({ view, settings }: Cycle, name: string): boolean {
  const record = settings.failsafeMode && !settings.standbyCluster ? failsafeMembers(view) : null
  return record !== null && !(name in record)
}

/**
 * What keeps a member that was left out from the race; `null`: nothing. The record may be the work of a leader that was
 * gone before it was a primary, and whoever it names may lack what only this member has. So they are asked: when each of
 * them answers that it is no primary, and knows of no consent, nobody runs without the store.
 */
export async function leftOutBecause(c: Cycle): Promise<string | null> {
  if (!isLeftOut(c, c.world.name)) return null
  const unsure = await whoMayRunWithoutStore(c, failsafeMembers(c.view) ?? {})
  return unsure === null
    ? null
    : `the failsafe record of the last leader does not name it, and ${unsure} may be a primary without a store`
}

/** Members among those that answered that will stand back because they were left out, whatever else speaks for them. */
export function barredByFailsafe(c: Cycle, answers: readonly PeerStatus[]): readonly string[] {
  const others = Object.keys(failsafeMembers(c.view) ?? {}).filter((name) => name !== c.world.name)
  const everybodySure = others.every((name) => {
    const answer = answers.find((one) => one.name === name)
    return answer !== undefined && !mayRunWithoutStore(answer)
  })
  return everybodySure ? [] : answers.map(({ name }) => name).filter((name) => isLeftOut(c, name))
}

/** An ordered failover does not wait for members of the failsafe record that do not answer: the log says whom it passed over. */
export function warnOfUnheard(c: Cycle, answers: readonly PeerStatus[]): void {
  if (!isLeftOut(c, c.world.name)) return
  const record = failsafeMembers(c.view) ?? {}
  for (const { name } of answers.filter((one) => one.name in record && mayRunWithoutStore(one))) {
    c.world.log.warning(
      `manual failover: ${name} does not answer and may be a primary without a store; I take over because it was ordered`,
    )
    considered(c, name, 'unreachable')
  }
}
