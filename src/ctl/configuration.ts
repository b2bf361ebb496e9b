import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { isTruthy, parseBool, textForm } from '../cluster/values.ts'
import { readEnvironment } from '../config/environment.ts'
import { type ConfigFiles, realFiles } from '../config/files.ts'
import { type LocalConfiguration, loadLocal, locate, printProblem } from '../config/local.ts'
import { storeConfig } from '../config/section-store.ts'
import type { Credentials, StoreConfig } from '../config/types.ts'
import { withDcsUrl } from './dcs-url.ts'
import { CtlError } from './errors.ts'
import type { CtlSettings } from './session.ts'

/** How the tool calls REST servers (spec ctl.md 2.6). */
export interface RestAccess {
  readonly credentials: Credentials | null
  readonly insecure: boolean
  readonly cacert: string | null
  readonly certfile: string | null
  readonly keyfile: string | null
  readonly keyfilePassword: string | null
}

export interface CtlConfiguration extends CtlSettings {
  readonly namespace: string
  /** Only handed on to the store; absent: the cluster's name. */
  readonly name: string | null
  readonly rest: RestAccess
  readonly store: StoreConfig
  /** Where the store was named, for who wonders why the tool looks there. */
  readonly storeOrigin: string
}

export interface ConfigurationRequest {
  /** From the command line or its variable; `null`: the platform's default place. */
  readonly configFile: string | null
  /** `null`: not given. Empty text means the default of each part. */
  readonly dcsUrl: string | null
  readonly insecure: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  readonly home: string
  readonly files?: ConfigFiles
}

/**
 * Finds and reads the configuration of the tool: a file or directory, `PATRONI_*` variables over it (spec ctl.md 2.1).
 * @throws {CtlError}
 */
export async function loadConfiguration(request: ConfigurationRequest): Promise<CtlConfiguration> {
  const { configFile, dcsUrl, env, files = realFiles } = request
  const fallback = defaultConfigFile(request)
  const path = configFile ?? fallback
  if (path !== fallback && !(await isThere(path, files))) throw notReadable(path)
  const environment = readEnvironment(env)
  const loaded = await loadLocal({ path, environment, files })
  if (loaded.kind === 'broken') {
    const [problem] = loaded.problems
    throw new CtlError(problem ? printProblem(problem) : `${path} can not be understood`)
  }
  const { document } = loaded.local
  const config = understood(dcsUrl === null ? document : withDcsUrl(document, dcsUrl), request.insecure)
  return { ...config, storeOrigin: dcsUrl === null ? originOf(loaded.local, config.store) : '--dcs-url' }
}

function originOf(local: LocalConfiguration, { kind }: StoreConfig): string {
  if (kind === null) return 'nobody'
  const { file, line } = locate(local, [kind])
  return line === null ? (file ?? 'nobody') : `${file}:${line}`
}

export function defaultConfigFile({
  env,
  platform,
  home,
}: Pick<ConfigurationRequest, 'env' | 'platform' | 'home'>): string {
  const folder =
    platform === 'darwin'
      ? `${home}/Library/Application Support`
      : platform === 'win32'
        ? (env['APPDATA'] ?? home)
        : env['XDG_CONFIG_HOME'] || `${home}/.config`
  return `${folder}/patroni/patronictl.yaml`
}

async function isThere(path: string, files: ConfigFiles): Promise<boolean> {
  try {
    const kind = await files.kind(path)
    if (kind === 'file') await files.read(path)
    return kind === 'file' || kind === 'directory'
  } catch {
    return false
  }
}

function notReadable(path: string): CtlError {
  return new CtlError(
    `Provided config file ${path} not existing or no read rights. Check the -c/--config-file parameter`,
  )
}

function understood(document: JsonObject, insecure: boolean): Omit<CtlConfiguration, 'storeOrigin'> {
  const ctl = sectionOf(document, 'ctl')
  const restapi = sectionOf(document, 'restapi')
  return {
    scope: textOf(document['scope']),
    namespace: textOf(document['namespace']) ?? 'service',
    name: textOf(document['name']),
    citus: citusOf(sectionOf(document, 'citus')),
    rest: {
      credentials: credentialsOf(ctl) ?? credentialsOf(restapi),
      insecure: insecure || (parseBool(ctl['insecure']) ?? false),
      cacert: textOf(ctl['cacert']) ?? textOf(restapi['cafile']),
      certfile: textOf(ctl['certfile']),
      keyfile: textOf(ctl['keyfile']),
      keyfilePassword: textOf(ctl['keyfile_password']),
    },
    store: storeOf(document),
  }
}

function sectionOf(document: JsonObject, key: string): JsonObject {
  const section = document[key]
  return isObject(section) ? section : {}
}

function textOf(value: Json | undefined): string | null {
  return isTruthy(value) && typeof value !== 'object' ? textForm(value) : null
}

/** Both parts or nothing. A colon cannot stand in the name, so the raw form splits at the first. */
function credentialsOf(section: JsonObject): Credentials | null {
  const { username, password } = sectionOf(section, 'authentication')
  if (isTruthy(username) && isTruthy(password)) return { username: textForm(username), password: textForm(password) }
  const raw = textOf(section['auth'])
  const colon = raw?.indexOf(':') ?? -1
  return raw !== null && colon >= 0 ? { username: raw.slice(0, colon), password: raw.slice(colon + 1) } : null
}

function citusOf({ group, database }: JsonObject): CtlSettings['citus'] {
  return typeof group === 'number' && Number.isInteger(group) && typeof database === 'string' && database !== ''
    ? { group, database }
    : null
}

/** The section with what the tool sets in it (spec ctl.md 2.4): here a namespace of Kubernetes gives way to the general one. */
function storeOf(document: JsonObject): StoreConfig {
  const { kind, section } = storeConfig(document)
  const { namespace } = document
  return { kind, section: kind === 'kubernetes' && namespace !== undefined ? { ...section, namespace } : section }
}
