import { isObject, type JsonObject } from '../cluster/json.ts'
import { MINIMUM_TIMING, type Timing } from '../cluster/settings.ts'
import { tagConflicts } from '../cluster/tags.ts'
import { isTruthy, textForm } from '../cluster/values.ts'
import { readDynamic } from './dynamic.ts'
import { parametersMapping } from './enforced-parameters.ts'
import { type LocalConfiguration, locate } from './local.ts'
import { type AcceptedDynamic, mergedDocument, validCitus } from './merged-document.ts'
import { type Finding, Section } from './section.ts'
import { bootstrapConfig } from './section-bootstrap.ts'
import { fenceConfig } from './section-fence.ts'
import { journalConfig } from './section-journal.ts'
import { logConfig } from './section-log.ts'
import { type Place, postgresqlConfig } from './section-postgresql.ts'
import { ctlConfig, restapiConfig } from './section-restapi.ts'
import { noStoreMessage, storeConfig, storePrefix } from './section-store.ts'
import { watchdogConfig } from './section-watchdog.ts'
import type { Config, Problem } from './types.ts'
import { unknownKeys } from './unknown-keys.ts'

export interface EffectiveRequest {
  readonly local: LocalConfiguration
  /** The document of the store, else the cached one, else `bootstrap.dcs`, else `{}`. */
  readonly dynamic: JsonObject
  /** The configuration in force; `null` at start. */
  readonly previous: Config | null
  readonly place: Place
  /** The smallest timings that may be configured; those of the specification where it is left out. */
  readonly minimumTiming?: Timing
}

export type EffectiveOutcome =
  | {
      readonly kind: 'ok'
      readonly config: Config
      /** What is new to tell, compared with `previous`. Severity `error`: something configured will not be done. */
      readonly warnings: readonly Problem[]
      /**
       * Why the dynamic document is not used: then `config` is built from the last accepted one, and only the settings of
       * the cluster (`config.dynamic`) are those of the new one (spec configuration.md 5.4).
       */
      readonly rejected: string | null
    }
  /** The local configuration cannot be used. At start: all that is missing or wrong, exit 1; later: the old one stays. */
  | { readonly kind: 'broken'; readonly problems: readonly Problem[]; readonly exitCode: 1 }

/** Merges and types everything that is configured (spec configuration.md 2.3). Pure. */
export function effectiveConfig(request: EffectiveRequest): EffectiveOutcome {
  const { local, dynamic, previous, place, minimumTiming = MINIMUM_TIMING } = request
  const unusable = unusableLocal(local.document)
  if (unusable) return { kind: 'broken', problems: [placed(unusable, local)], exitCode: 1 }
  const given = readDynamic(dynamic, minimumTiming)
  const accepted = given.kind === 'accepted' ? given : lastAccepted(previous, minimumTiming)
  const { config, findings } = typed(local.document, accepted, place)
  const fatal = findings.filter((one) => one.severity === 'fatal')
  if (fatal.length > 0) return { kind: 'broken', problems: fatal.map((one) => placed(one, local)), exitCode: 1 }
  const problems = findings.map((one) => placed(one, local))
  return {
    kind: 'ok',
    config: {
      ...config,
      dynamic: given.kind === 'accepted' ? given.document : dynamic,
      findings: problems,
    },
    warnings: [
      ...(given.kind === 'accepted' && !sameJson(given.document, previous?.dynamic) ? given.warnings.map(plain) : []),
      ...(previous?.local === local.document ? [] : localWarnings(local)),
      ...problems.filter(
        (one) => !previous?.findings.some((old) => old.key === one.key && old.message === one.message),
      ),
    ],
    rejected: given.kind === 'rejected' ? given.reason : null,
  }
}

/** What is odd in the local configuration itself: variables that cannot be read, unknown keys, keys that only count in the store, contradicting tags. */
export function localWarnings(local: LocalConfiguration): Problem[] {
  const tags = local.document['tags']
  return [
    ...local.environment.warnings.map(plain),
    ...unknownKeys(local.document).map((finding) => placed(finding, local)),
    ...tagConflicts(isObject(tags) ? tags : {}).map(plain),
  ]
}

function unusableLocal(document: JsonObject): Finding | null {
  const postgresql = document['postgresql']
  if (isTruthy(postgresql) && !isObject(postgresql))
    return { severity: 'fatal', path: ['postgresql'], message: 'is not a dictionary' }
  if (isObject(postgresql) && parametersMapping(postgresql['parameters']) === null)
    return {
      severity: 'fatal',
      path: ['postgresql', 'parameters'],
      message: 'is not a dictionary',
    }
  return null
}

function lastAccepted(previous: Config | null, minimum: Timing): AcceptedDynamic {
  for (const document of [previous?.acceptedDynamic ?? {}, {}]) {
    const read = readDynamic(document, minimum)
    if (read.kind === 'accepted') return read
  }
  throw new Error('the empty dynamic document must be acceptable')
}

function typed(
  local: JsonObject,
  dynamic: AcceptedDynamic,
  place: Place,
): { readonly config: Config; readonly findings: readonly Finding[] } {
  const findings: Finding[] = []
  const document = mergedDocument(local, dynamic)
  const root = new Section(document, [], findings)
  const store = storeConfig(document)
  const name = root.required('name')
  const scope = root.required('scope')
  const namespace = root.text('namespace') ?? 'service'
  const citus = citusConfig(document)
  const restapi = root.section('restapi')
  const postgresql = postgresqlConfig(root.section('postgresql'), place)
  const config: Config = {
    document,
    dynamic: dynamic.document,
    acceptedDynamic: dynamic.document,
    timing: dynamic.timing,
    local,
    findings: [],
    name,
    scope,
    namespace,
    storePrefix: storePrefix(namespace, scope, citus?.group ?? null),
    citus,
    log: logConfig(root.section('log')),
    restapi: restapiConfig(restapi),
    ctl: ctlConfig(root.section('ctl'), restapi),
    store,
    bootstrap: bootstrapConfig(root),
    postgresql,
    watchdog: watchdogConfig(root.section('watchdog')),
    fence: fenceConfig(root.section('fence')),
    journal: journalConfig(root.section('journal'), postgresql.dataDir, place),
    tags: root.mapping('tags'),
  }
  if (store.kind === null) findings.push({ severity: 'fatal', path: [], message: noStoreMessage() })
  return { config, findings }
}

function citusConfig(document: JsonObject): Config['citus'] {
  const citus = document['citus']
  if (!validCitus(citus)) return null
  return { group: Number(citus['group']), database: textForm(citus['database']) }
}

function placed({ severity, path, message }: Finding, local: LocalConfiguration): Problem {
  const place = path.length === 0 ? { file: null, line: null } : locate(local, path)
  return { severity: severity === 'warning' ? 'warning' : 'error', key: path.join('.'), message, ...place }
}

function plain(message: string): Problem {
  return { severity: 'warning', key: '', message, file: null, line: null }
}

function sameJson(one: JsonObject, other: JsonObject | undefined): boolean {
  return other !== undefined && (one === other || JSON.stringify(one) === JSON.stringify(other))
}
