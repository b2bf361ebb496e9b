import { isObject, type Json } from '../cluster/json.ts'
import { isTruthy, textForm } from '../cluster/values.ts'
import type { ToolOptions } from '../config/types.ts'
import { splitShellWords } from './shell-words.ts'

/** The user's options for one of PostgreSQL's tools as arguments, and what was wrong with those left out. */
export interface ToolArguments {
  readonly args: readonly string[]
  readonly problems: readonly string[]
}

/**
 * Reads `bootstrap.initdb`, `postgresql.basebackup` and `postgresql.rewind` (spec postgres.md 5.3, configuration.md 3.12).
 * @param isAllowed decides by name and value; the value is `null` for an option without one
 */
export function toolArguments(
  tool: string,
  options: ToolOptions,
  isAllowed: (name: string, value: string | null) => boolean,
): ToolArguments {
  const args: string[] = []
  const problems: string[] = []
  const add = (name: string, value: string | null): void => {
    if (!isAllowed(name, value)) problems.push(`${name} option for ${tool} is not allowed`)
    else args.push(value === null ? `--${name}` : `--${name}=${unquoted(value)}`)
  }
  if (Array.isArray(options)) {
    for (const item of options as readonly Json[]) {
      const pairs = isObject(item) ? Object.entries(item) : []
      const [pair] = pairs
      if (typeof item === 'string') add(item, null)
      else if (pair && pairs.length === 1 && isText(pair[1])) add(pair[0], textForm(pair[1]))
      else
        problems.push(
          `Error when parsing ${tool} key-value option ${textForm(item)}: only one key-value is allowed and value should be a string`,
        )
    }
  } else if (isObject(options)) {
    for (const [name, value] of Object.entries(options)) if (name !== '' && isTruthy(value)) add(name, textForm(value))
  } else if (isTruthy(options)) {
    problems.push(`${tool} options must be list or dict`)
  }
  return { args, problems }
}

/** Numbers are taken as their text: people write `max-rate: 100`. */
function isText(value: Json): boolean {
  return typeof value === 'string' || typeof value === 'number'
}

/** A value that is one fully quoted word loses its quotes: it is one argument anyway. */
function unquoted(value: string): string {
  if (!/^(['"])[^]*\1$/.test(value)) return value
  const split = splitShellWords(value)
  return split.kind === 'words' && split.words.length === 1 ? (split.words[0] ?? value) : value
}

export const INITDB_FORBIDDEN: readonly string[] = ['pgdata', 'nosync', 'pwfile', 'sync-only', 'version']

export const REWIND_FORBIDDEN: readonly string[] = [
  'target-pgdata',
  'source-pgdata',
  'source-server',
  'write-recovery-conf',
  'dry-run',
  'restore-target-wal',
  'config-file',
  'no-ensure-shutdown',
  'version',
  'help',
]

const BASEBACKUP_FORBIDDEN: readonly string[] = [
  'pgdata',
  'format',
  'wal-method',
  'xlog-method',
  'gzip',
  'version',
  'dbname',
  'host',
  'port',
  'username',
  'password',
]

/** Compression on the server (15+) leaves a plain directory here; any other form does not. */
export function isBasebackupOptionAllowed(name: string, value: string | null, major: number): boolean {
  if (name === 'compress') return major >= 150000 && (value?.startsWith('server') ?? false)
  return !BASEBACKUP_FORBIDDEN.includes(name)
}
