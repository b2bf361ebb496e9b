import { join } from 'node:path'
import { isObject, type JsonObject } from '../../cluster/json.ts'
import { isTruthy, textForm } from '../../cluster/values.ts'
import { type Check, type Context, type Issue, issue, wrong } from './check.ts'

const PROGRAMS = ['pg_ctl', 'initdb', 'pg_controldata', 'pg_basebackup', 'postgres', 'pg_isready']

/** Where PostgreSQL's programs are, and an alternative name for each, as the document says. */
function binaries(document: JsonObject): { readonly directory: string; readonly names: JsonObject } {
  const postgresql = isObject(document['postgresql']) ? document['postgresql'] : {}
  const names = postgresql['bin_name']
  const directory = postgresql['bin_dir']
  return { directory: isTruthy(directory) ? textForm(directory) : '', names: isObject(names) ? names : {} }
}

function programName(names: JsonObject, program: string): string {
  return isTruthy(names[program]) ? textForm(names[program]) : program
}

/** The name of a program that must be executable. */
export const binary: Check = async (value, { world, document }) => {
  if (typeof value !== 'string') return [issue(value, 'is not a string', 'type')]
  if (value === '') return wrong(value, 'is an empty string')
  const { directory } = binaries(document)
  const found = await world.findExecutable(value, directory)
  return found === null ? wrong(value, `does not contain '${value}' in '${directory || '$PATH'}'`) : []
}

/** The directory of PostgreSQL's programs; empty: PATH has them. */
export const binDir: Check = async (value, { world, document }) => {
  if (typeof value !== 'string') return [issue(value, 'is not a string', 'type')]
  if (value !== '') {
    const kind = await world.kind(value)
    if (kind === 'missing') return wrong(value, `Directory '${value}' does not exist.`)
    if (kind !== 'directory') return wrong(value, `'${value}' is not a directory.`)
  }
  const { names } = binaries(document)
  const found: Issue[] = []
  for (const program of PROGRAMS) {
    const name = programName(names, program)
    if ((await world.findExecutable(name, value)) === null)
      found.push(...wrong(value, `does not contain '${name}' in '${value || '$PATH'}'`))
  }
  return found
}

/** A data directory that PostgreSQL can be started on, or an empty or absent place for one. */
export const dataDir: Check = async (value, context) => {
  const { world } = context
  if (typeof value !== 'string') return [issue(value, 'is not a string', 'type')]
  if (value === '') return wrong(value, 'is an empty string')
  const kind = await world.kind(value)
  if (kind === 'missing') return []
  if (kind !== 'directory') return wrong(value, 'is not a directory')
  const entries = (await world.entries(value)).filter((name) => !name.startsWith('.') && name !== 'lost+found')
  if (entries.length === 0 && (await world.kind(join(value, 'global/pg_control'))) === 'missing') return []
  const version = (await world.read(join(value, 'PG_VERSION')))?.trim()
  if (version === undefined) return wrong(value, "doesn't look like a valid data directory")
  const walDir = Number.parseFloat(version) >= 10 ? 'pg_wal' : 'pg_xlog'
  if ((await world.kind(join(value, walDir))) !== 'directory')
    return wrong(value, `data dir for the cluster is not empty, but doesn't contain "${walDir}" directory`)
  const program = await programVersion(context)
  return program === null || program === version
    ? []
    : wrong(
        value,
        `data_dir directory postgresql version (${version}) doesn't match with 'postgres --version' output (${program})`,
      )
}

/** Major version as `PG_VERSION` spells it; `null` where the program cannot be asked. */
async function programVersion({ world, document }: Context): Promise<string | null> {
  const { directory, names } = binaries(document)
  const program = await world.findExecutable(programName(names, 'postgres'), directory)
  const printed = program === null ? null : await world.versionOf(program)
  const [, first, second] = /(\d+)(?:\.(\d+))?/.exec(printed ?? '') ?? []
  if (first === undefined) return null
  return Number(first) >= 10 || second === undefined ? first : `${first}.${second}`
}
