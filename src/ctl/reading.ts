import { later } from '../cluster/time.ts'
import { EMPTY_VIEW } from '../cluster/view.ts'
import type { Budget } from '../ports/clock.ts'
import type { StoreOutcome } from '../ports/dcs.ts'
import { CtlError } from './errors.ts'
import { withHint } from './hints.ts'
import { withProgress } from './progress.ts'
import type { ClusterStore, Session } from './session.ts'
import { groupOf, type Snapshot } from './snapshot.ts'

/** How long the store may take to answer, tries at all its addresses included: `retry_timeout` as the tool has it (spec ctl.md 2.2). */
export const STORE_LIMIT_MS = 10_000

/** The cluster to work on: as named, or the configured scope. */
export function clusterName(session: Session, given: string | null): string {
  const name = given ?? session.config.scope
  if (name !== null && name !== '') return name
  throw new CtlError('No cluster was named: give its name on the command line, or set scope in the configuration file')
}

/** The group to work on, for commands whose `--group` defaults to the configured one (spec ctl.md 2.5). */
export function groupOrConfigured(session: Session, given: number | null): number | null {
  return given ?? session.config.citus?.group ?? null
}

/**
 * Reads a cluster; in Citus mode without a group the whole formation.
 * @throws {CtlError} when the store does not answer
 */
export async function readSnapshot(session: Session, cluster: string, group: number | null): Promise<Snapshot> {
  if (group === null && session.config.citus !== null) {
    const found = await askStore(session, { cluster, group }, (store, budget) => store.loadGroups(budget))
    const views = [...found].sort(([a], [b]) => a - b).map(([number, view]) => groupOf(number, view))
    const main = views.find(({ number }) => number === 0) ?? groupOf(0, EMPTY_VIEW)
    return { cluster, extent: 'formation', groups: [main, ...views.filter((one) => one !== main)] }
  }
  const view = await askStore(session, { cluster, group }, (store, budget) => store.load(budget))
  return { cluster, extent: group === null ? 'cluster' : 'group', groups: [groupOf(group, view)] }
}

/** Which tree of the store. */
export interface Place {
  readonly cluster: string
  readonly group: number | null
}

type Question<T> = (store: ClusterStore, budget: Budget) => Promise<StoreOutcome<T>>

/** Asks the store and insists on an answer. */
export async function askStore<T>(session: Session, place: Place, ask: Question<T>): Promise<T> {
  const outcome = await tryStore(session, place, ask)
  if (outcome.kind === 'done') return outcome.value
  throw new CtlError(`${session.stores.description} did not answer: ${withHint(outcome.reason)}`)
}

/** One operation on the store within its time limit, connecting included; shown while it lasts. */
export async function tryStore<T>(session: Session, place: Place, ask: Question<T>): Promise<StoreOutcome<T>> {
  const { clock, stores } = session
  const deadline = later(clock.now(), STORE_LIMIT_MS)
  const { signal, done } = clock.deadline(deadline, session.signal)
  const budget = { deadline, signal }
  try {
    return await withProgress(session, `Waiting for ${stores.description}`, STORE_LIMIT_MS, async () =>
      ask(await stores.open(place.cluster, place.group, budget), budget),
    )
  } finally {
    done()
  }
}
