import type { Json, JsonObject } from '../../cluster/json.ts'

/** What has to be done for a change to count. */
export type Change =
  /** Nothing but a reload: `matriarchctl reload`, SIGHUP; for dynamic configuration not even that. */
  | 'reload'
  /** PostgreSQL is to be restarted: `matriarchctl restart`. */
  | 'PostgreSQL'
  | 'agent'
  /** It is read only while a new cluster is made. */
  | 'new cluster'

/** One key of the configuration as it is told to people: in the reference, in editors, by `config explain`. */
export interface Key {
  /** Dotted; `<name>` stands for any name. Keys of the dynamic configuration are under `bootstrap.dcs`. */
  readonly path: string
  /** A sentence. */
  readonly meaning: string
  readonly change: Change
  /** In force where the key is missing. */
  readonly default: Json | undefined
  /** The same in words, where it depends on something else. */
  readonly otherwise: string | undefined
  /** What may stand there; `null` where the check of the validation says it. */
  readonly schema: JsonObject | null
}

const TYPES = {
  string: { type: 'string' },
  strings: { type: 'array', items: { type: 'string' } },
  boolean: { type: 'boolean' },
  integer: { type: 'integer' },
  mapping: { type: 'object' },
  any: {},
} as const satisfies Record<string, JsonObject>

export interface Note {
  readonly default?: Json
  readonly otherwise?: string
  readonly change?: Change
  readonly type?: keyof typeof TYPES
  readonly schema?: JsonObject
}

/** The keys below `path`; an empty path for the top of the file. */
export function section(
  path: string,
  change: Change,
  keys: Readonly<Record<string, string | readonly [meaning: string, note: Note]>>,
): readonly Key[] {
  return Object.entries(keys).map(([name, entry]) => {
    const [meaning, note] = typeof entry === 'string' ? [entry, {}] : entry
    return {
      path: path === '' ? name : `${path}.${name}`,
      meaning,
      change: note.change ?? change,
      default: note.default,
      otherwise: note.otherwise,
      schema: note.schema ?? (note.type ? TYPES[note.type] : null),
    }
  })
}
