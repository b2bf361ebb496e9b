import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { compareCodePoints } from './code-points.ts'
import { addConditional, type Environment } from './environment.ts'
import type { ConfigFiles } from './files.ts'
import { withModernShapes } from './legacy.ts'
import { mergePatch } from './merge.ts'
import type { Problem } from './types.ts'
import { parseYaml, type Path } from './yaml.ts'

/** One of the places that the local configuration was merged from, in the order of merging. */
export interface Source {
  readonly origin: { readonly kind: 'file'; readonly path: string } | { readonly kind: 'environment' }
  readonly document: JsonObject
  /** The line of a key in that file; `null` for the environment. */
  lineOf(path: Path): number | null
}

/** The local configuration as merged, and where each part of it came from (spec configuration.md 2.1). */
export interface LocalConfiguration {
  /** With legacy shapes translated. */
  readonly document: JsonObject
  readonly sources: readonly Source[]
  readonly environment: Environment
}

export type LocalOutcome =
  | { readonly kind: 'ok'; readonly local: LocalConfiguration }
  | { readonly kind: 'broken'; readonly problems: readonly Problem[]; readonly exitCode: 1 }

export const RESERVED_NAME = '__patroni_strict_sync_replica_placeholder__'

export interface LocalRequest {
  /** From the command line; `null`: none was given. */
  readonly path: string | null
  readonly environment: Environment
  readonly files: ConfigFiles
}

/**
 * Reads the local configuration: the path merged with the environment, else `PATRONI_CONFIGURATION`, else the
 * environment alone (spec configuration.md 2.1). Writes nothing and checks only that it can be understood at all.
 */
export async function loadLocal({ path, environment, files }: LocalRequest): Promise<LocalOutcome> {
  const read = await readSources(path, environment, files)
  if (!Array.isArray(read)) return broken([read as Problem])
  const sources = read as readonly Source[]
  const fromConfiguration = sources.some(isConfigurationVariable)
  // A null in the first document removes nothing: there it is an empty section.
  const [first, ...rest] = sources.map((source) => source.document)
  const merged = rest.reduce(mergePatch, first ?? {})
  const complete = fromConfiguration ? merged : addConditional(merged, environment.conditional)
  return { kind: 'ok', local: { document: withModernShapes(complete), sources, environment } }
}

/** What is checked before anything is done with a configuration (spec configuration.md 2.1, last paragraph). */
export function minimalProblems(document: JsonObject, missingPath: string | null): Problem[] {
  if (Object.keys(document).length === 0) {
    const missing = missingPath === null ? [] : [problem(`configuration file ${missingPath} does not exist`)]
    return [...missing, problem('Config is empty.')]
  }
  if (document['name'] === RESERVED_NAME) return [problem(`Node 'name' can't be set to '${RESERVED_NAME}'`)]
  return []
}

/** The file and line of the last source that has the key, for messages about it. */
export function locate(
  local: LocalConfiguration,
  path: Path,
): { readonly file: string | null; readonly line: number | null } {
  for (const source of local.sources.toReversed()) {
    if (!holds(source.document, path)) continue
    if (source.origin.kind === 'file') return { file: source.origin.path, line: source.lineOf(path) }
    const variable = local.environment.origins.get(path.join('.'))
    return { file: variable ? `environment variable ${variable}` : 'environment', line: null }
  }
  return { file: null, line: null }
}

/** One line for people: `patroni.yml:12: postgresql.listen: is not a string`. */
export function printProblem({ file, line, key, message }: Problem): string {
  const place = file === null ? '' : line === null ? `${file}: ` : `${file}:${line}: `
  return `${place}${key === '' ? '' : `${key}: `}${message}`
}

function broken(problems: readonly Problem[]): LocalOutcome {
  return { kind: 'broken', problems, exitCode: 1 }
}

function problem(message: string, at: Partial<Problem> = {}): Problem {
  return { severity: 'error', key: '', message, file: null, line: null, ...at }
}

function isConfigurationVariable(source: Source): boolean {
  return source.origin.kind === 'file' && source.origin.path === CONFIGURATION_VARIABLE
}

const CONFIGURATION_VARIABLE = 'PATRONI_CONFIGURATION'

async function readSources(
  path: string | null,
  environment: Environment,
  files: ConfigFiles,
): Promise<readonly Source[] | Problem> {
  const overlay: Source = { origin: { kind: 'environment' }, document: environment.document, lineOf: () => null }
  const kind = path === null ? 'missing' : await kindOf(path, files)
  if (path !== null && kind !== 'missing') {
    if (typeof kind !== 'string') return kind
    const names = await configurationFiles(path, kind, files)
    if (!Array.isArray(names)) return names as Problem
    const sources: Source[] = []
    for (const name of names as readonly string[]) {
      const source = await readSource(name, files)
      if ('message' in source) return source
      sources.push(source)
    }
    return [...sources, overlay]
  }
  if (environment.configuration === null) return [overlay]
  const source = parseSource(environment.configuration, CONFIGURATION_VARIABLE)
  return 'message' in source ? source : [source]
}

async function kindOf(path: string, files: ConfigFiles): Promise<'file' | 'directory' | 'other' | 'missing' | Problem> {
  try {
    return await files.kind(path)
  } catch (error) {
    return problem(reasonOf(error), { file: path })
  }
}

async function configurationFiles(
  path: string,
  kind: 'file' | 'directory' | 'other' | 'missing',
  files: ConfigFiles,
): Promise<readonly string[] | Problem> {
  if (kind === 'file') return [path]
  if (kind === 'other') return problem(`invalid config path: config path ${path} is neither directory nor file`)
  try {
    const names = await files.list(path)
    const fitting = names.filter((name) => name.endsWith('.yml') || name.endsWith('.yaml'))
    return fitting.sort(compareCodePoints).map((name) => `${path.replace(/\/+$/, '')}/${name}`)
  } catch (error) {
    return problem(reasonOf(error), { file: path })
  }
}

async function readSource(path: string, files: ConfigFiles): Promise<Source | Problem> {
  try {
    return parseSource(await files.read(path), path)
  } catch (error) {
    return problem(reasonOf(error), { file: path })
  }
}

function parseSource(text: string, path: string): Source | Problem {
  const yaml = parseYaml(text)
  if (yaml.kind === 'error')
    return problem(`invalid YAML: ${yaml.message}`, { file: path, line: yaml.line, key: yaml.key })
  const { value } = yaml
  if (!isObject(value)) return problem(`invalid config file ${path}: ${path} does not contain a dict`)
  return { origin: { kind: 'file', path }, document: value, lineOf: (key) => yaml.lineOf(key) }
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'EACCES') return 'permission denied'
  if (code === 'ENOENT') return 'no such file'
  return `cannot be read: ${code ?? 'unknown error'}`
}

function holds(document: JsonObject, path: Path): boolean {
  let value: Json | undefined = document
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false
    value = (value as Readonly<Record<string | number, Json>>)[step]
  }
  return true
}
