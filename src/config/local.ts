import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { compareCodePoints } from './code-points.ts'
import { addConditional, type Environment } from './environment.ts'
import type { ConfigFiles } from './files.ts'
import { withModernShapes } from './legacy.ts'
import { mergePatch } from './merge.ts'
import type { Problem } from './types.ts'
import { type Path, parseYaml } from './yaml.ts'

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
  let sources: readonly Source[]
  try {
    sources = await readSources(path, environment, files)
  } catch (error) {
    if (error instanceof Unloadable) return { kind: 'broken', problems: [error.problem], exitCode: 1 }
    throw error
  }
  // A null in the first document removes nothing: there it is an empty section.
  const [first, ...rest] = sources.map((source) => source.document)
  const merged = rest.reduce(mergePatch, first ?? {})
  const whole = sources.some(({ origin }) => origin.kind === 'file' && origin.path === CONFIGURATION_VARIABLE)
  const complete = whole ? merged : addConditional(merged, environment.conditional)
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

function problem(message: string, at: Partial<Problem> = {}): Problem {
  return { severity: 'error', key: '', message, file: null, line: null, ...at }
}

/** Thrown and caught within this file: the first thing that cannot be read ends the reading. */
class Unloadable extends Error {
  readonly problem: Problem
  constructor(found: Problem) {
    super(found.message)
    this.problem = found
  }
}

const CONFIGURATION_VARIABLE = 'PATRONI_CONFIGURATION'

async function readSources(
  path: string | null,
  environment: Environment,
  files: ConfigFiles,
): Promise<readonly Source[]> {
  const overlay: Source = { origin: { kind: 'environment' }, document: environment.document, lineOf: () => null }
  const paths = path === null ? null : await configurationFiles(path, files)
  if (paths !== null) {
    const sources: Source[] = []
    for (const one of paths) sources.push(parseSource(await reading(one, files.read(one)), one))
    return [...sources, overlay]
  }
  if (environment.configuration === null) return [overlay]
  return [parseSource(environment.configuration, CONFIGURATION_VARIABLE)]
}

/** The files to read, in order; `null` where the path does not exist. */
async function configurationFiles(path: string, files: ConfigFiles): Promise<readonly string[] | null> {
  switch (await reading(path, files.kind(path))) {
    case 'missing':
      return null
    case 'file':
      return [path]
    case 'other':
      throw new Unloadable(problem(`invalid config path: config path ${path} is neither directory nor file`))
    case 'directory': {
      const names = await reading(path, files.list(path))
      const fitting = names.filter((name) => name.endsWith('.yml') || name.endsWith('.yaml'))
      return fitting.sort(compareCodePoints).map((name) => `${path.replace(/\/+$/, '')}/${name}`)
    }
  }
}

/** Waits for what the file system answers; its errors become a problem with the path. */
async function reading<T>(path: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw new Unloadable(problem(reasonOf(error), { file: path }))
  }
}

function parseSource(text: string, path: string): Source {
  const yaml = parseYaml(text)
  if (yaml.kind === 'error')
    throw new Unloadable(problem(`invalid YAML: ${yaml.message}`, { file: path, line: yaml.line, key: yaml.key }))
  const { value } = yaml
  if (!isObject(value)) throw new Unloadable(problem(`invalid config file ${path}: ${path} does not contain a dict`))
  return { origin: { kind: 'file', path }, document: value, lineOf: (key) => yaml.lineOf(key) }
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EACCES') return 'permission denied'
  if (code === 'ENOENT') return 'no such file'
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8'
  if (code === 'ERR_FS_FILE_TOO_LARGE' || code === 'ERR_STRING_TOO_LONG') return 'is too large'
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
