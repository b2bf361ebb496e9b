import type { JsonObject } from '../cluster/json.ts'
import { MINIMUM_GUARDED_TIMING, MINIMUM_TIMING } from '../cluster/settings.ts'
import { later } from '../cluster/time.ts'
import { VERSION } from '../cluster/version.ts'
import { loadCache } from '../config/cache.ts'
import { loadConfiguration } from '../config/configuration.ts'
import { effectiveConfig } from '../config/effective.ts'
import { readEnvironment } from '../config/environment.ts'
import { bootstrapDifferences, type ExplainedSetting, explainSettings } from '../config/explain.ts'
import { printProblem } from '../config/local.ts'
import type { Config, Problem } from '../config/types.ts'
import { selectStore } from '../dcs/select.ts'
import { systemClock } from '../system/clock.ts'
import { systemRandom } from '../system/random.ts'
import { hasGuard } from './guard.ts'
import { place } from './settings-source.ts'

/** How long the store may take. */
const STORE_MS = 5000
const SILENT = { debug: () => {}, info: () => {}, warning: () => {}, error: () => {}, critical: () => {} }

/** `matriarch config explain FILE`: each setting in force and where it comes from. @returns the exit code */
export async function explain(path: string | null): Promise<number> {
  const loaded = await loadConfiguration({ path, env: readEnvironment(process.env) })
  if (loaded.kind === 'broken') return complain(loaded.problems)
  const { local } = loaded
  const first = effectiveConfig({ local, dynamic: {}, previous: null, place: place() })
  if (first.kind === 'broken') return complain(first.problems)
  const minimumTiming = hasGuard(first.config) ? MINIMUM_GUARDED_TIMING : MINIMUM_TIMING
  const found = await dynamicDocument(first.config)
  const effective = effectiveConfig({ local, dynamic: found.document, previous: null, place: place(), minimumTiming })
  if (effective.kind === 'broken') return complain(effective.problems)
  const { config } = effective
  const settings = explainSettings({ config, local, dynamic: config.dynamic, dynamicOrigin: found.origin })
  process.stdout.write(settings.map(printSetting).join(''))
  const differences = found.isStored ? bootstrapDifferences(local.document, found.document) : []
  const warnings = [...found.warnings, ...effective.warnings.map(printProblem), ...differences]
  process.stderr.write(warnings.map((warning) => `warning: ${warning}\n`).join(''))
  return 0
}

function printSetting({ key, value, origin, restart }: ExplainedSetting): string {
  const note = restart === null ? '' : `, a change needs a restart of ${restart === 'agent' ? 'the agent' : restart}`
  return `${key} = ${value}    # ${origin}${note}\n`
}

interface FoundDynamic {
  readonly document: JsonObject
  readonly origin: string
  readonly isStored: boolean
  readonly warnings: readonly string[]
}

/** As the store has it; where it does not answer, what the agent would start with. */
async function dynamicDocument(config: Config): Promise<FoundDynamic> {
  const stored = await storedDynamic(config)
  if (typeof stored !== 'string') return { document: stored, origin: 'the store', isStored: true, warnings: [] }
  const cached = await loadCache(config.postgresql.dataDir)
  const warnings = [`the store does not say what is in force (${stored})`]
  if (cached.kind === 'document')
    return { document: cached.document, origin: 'the last copy of the store', isStored: false, warnings }
  return { document: config.bootstrap?.dcs ?? {}, origin: 'bootstrap.dcs', isStored: false, warnings }
}

async function storedDynamic(config: Config): Promise<JsonObject | string> {
  const { ttl, loopWait, retryTimeout } = config.timing
  const timing = { ttlMs: ttl * 1000, loopWaitMs: loopWait * 1000, retryTimeoutMs: retryTimeout * 1000 }
  const identity = { name: config.name, prefix: config.storePrefix, mode: 'client', timing } as const
  const deps = { clock: systemClock, random: systemRandom, log: SILENT, userAgent: `Matriarch/${VERSION}` }
  const selected = selectStore(config.store, identity, deps)
  if (selected.kind === 'problems') return selected.problems.map(printProblem).join('; ')
  const { store } = selected
  const deadline = later(systemClock.now(), STORE_MS)
  const { signal, done } = systemClock.deadline(deadline)
  try {
    const started = await store.start(signal)
    if (started.kind !== 'ready') return started.kind === 'fatal' ? started.text : started.reason
    const view = await store.load({ deadline, signal })
    if (view.kind !== 'done') return view.reason
    return view.value.config?.valid ? view.value.config.document : 'it has no configuration of this cluster'
  } finally {
    done()
    await store.close()
  }
}

function complain(problems: readonly Problem[]): number {
  for (const problem of problems) process.stderr.write(`${printProblem(problem)}\n`)
  return 1
}
