import { isTruthy, textForm } from '../cluster/values.ts'
import { noStoreMessage, storePrefix } from '../config/section-store.ts'
import type { StoreConfig } from '../config/types.ts'
import { selectStore } from '../dcs/select.ts'
import type { Store } from '../dcs/store.ts'
import type { Budget, Clock, Random } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { CtlConfiguration } from './configuration.ts'
import { CtlError } from './errors.ts'
import { withHint } from './hints.ts'
import { STORE_LIMIT_MS } from './reading.ts'
import type { Stores } from './session.ts'

interface StoresDeps {
  readonly clock: Clock
  readonly random: Random
  readonly version: string
}

/** Fixed for the tool, whatever the configuration says (spec ctl.md 2.2). */
const TIMING = { ttlMs: 30_000, loopWaitMs: 10_000, retryTimeoutMs: STORE_LIMIT_MS }

/** Opens the configured store as a client: it reads the latest state and never takes part in a cluster. */
export function openStores(config: CtlConfiguration, log: Log, deps: StoresDeps): Stores {
  const opened = new Map<string, Promise<Store>>()
  const open = async (cluster: string, group: number | null, budget: Budget): Promise<Store> => {
    const identity = {
      name: config.name ?? cluster,
      prefix: storePrefix(config.namespace, cluster, group),
      mode: 'client',
      timing: TIMING,
    } as const
    const userAgent = `Matriarch/${deps.version} ctl`
    const selected = selectStore(config.store, identity, { ...deps, log: quieter(log), userAgent })
    if (selected.kind === 'problems') {
      const [problem] = selected.problems
      throw new CtlError(problem?.message ?? noStoreMessage())
    }
    const started = await selected.store.start(budget.signal)
    if (started.kind === 'ready') return selected.store
    const reason = started.kind === 'fatal' ? started.text : started.reason
    throw new CtlError(`Can not use ${describe(config.store)}: ${withHint(reason)}`)
  }
  return {
    description: describe(config.store),
    open: (cluster, group, budget) => {
      const key = `${cluster}/${group ?? ''}`
      const known = opened.get(key)
      if (known) return known
      const opening = open(cluster, group, budget)
      opened.set(key, opening)
      // A failure is not kept: who watches tries again.
      opening.catch(() => opened.delete(key))
      return opening
    },
  }
}

/** `etcd3 at 10.0.0.1:2379,10.0.0.2:2379`, without user names. */
function describe({ kind, section }: StoreConfig): string {
  const where = ['proxy', 'url', 'hosts', 'host', 'srv'].map((key) => section[key]).find(isTruthy)
  if (where === undefined) return kind ?? 'the store'
  const text = Array.isArray(where) ? where.map(textForm).join(',') : textForm(where)
  return `${kind} at ${text.replace(/\/\/[^@/]*@/g, '//')}`
}

/** What the store's client warns of while it tries is part of the error in the end. */
function quieter(log: Log): Log {
  return { ...log, warning: (text) => log.info(text), error: (text) => log.info(text) }
}
