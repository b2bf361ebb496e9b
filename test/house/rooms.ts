import { dirname, join, normalize } from 'node:path'

/** A room is a folder of src/, or a top-level folder beside it. */
export interface RoomRule {
  /** Rooms it may import from, besides itself. */
  readonly rooms: readonly string[]
  /** Packages and built-in modules its sources may import; `node:` stands for all built-in modules. */
  readonly packages: readonly string[]
}

const PURE = ['cluster', 'ports']
/** The parts of raft that do nothing by themselves. */
const RAFT = ['raft/core', 'raft/kv', 'raft/replica']
const BORDER = ['cluster', 'ports', 'config', 'http', 'log']

/**
 * The order of the rooms: imports go downwards only. The pure rooms (no packages at all) are the ones that run in the
 * simulator; adapters never see each other; only agent/ knows them all.
 */
export const ROOMS: Readonly<Record<string, RoomRule>> = {
  'src/cluster': { rooms: [], packages: [] },
  'src/ports': { rooms: ['cluster'], packages: [] },
  'src/config': { rooms: PURE, packages: ['node:', 'yaml'] },
  'src/http': { rooms: PURE, packages: ['node:'] },
  'src/log': { rooms: [...PURE, 'config'], packages: ['node:'] },
  'src/system': { rooms: PURE, packages: ['node:'] },
  'src/ha': { rooms: PURE, packages: [] },
  'src/raft/core': { rooms: PURE, packages: [] },
  'src/raft/kv': { rooms: PURE, packages: [] },
  'src/raft/replica': { rooms: [...PURE, 'raft/core', 'raft/kv'], packages: [] },
  'src/raft': { rooms: [...PURE, ...RAFT], packages: ['node:'] },
  'src/dcs': { rooms: [...BORDER, 'raft', ...RAFT], packages: ['node:'] },
  'src/postgres': { rooms: BORDER, packages: ['node:', 'pg'] },
  'src/peers': { rooms: BORDER, packages: ['node:'] },
  'src/fence': { rooms: BORDER, packages: ['node:', 'koffi'] },
  'src/client': { rooms: [], packages: ['node:'] },
  'src/api': { rooms: BORDER, packages: ['node:'] },
  'src/ctl': {
    rooms: [...BORDER, 'system', 'dcs', 'postgres', 'raft', ...RAFT],
    packages: ['node:', 'commander', 'diff', 'pg'],
  },
  'src/agent': {
    rooms: [...BORDER, 'system', 'ha', 'dcs', 'postgres', 'peers', 'fence', 'raft', ...RAFT, 'api'],
    packages: ['node:'],
  },
  sim: { rooms: [...PURE, 'ha', 'raft', ...RAFT], packages: ['node:'] },
  // A client of its Raft is the only way to look into a store that the members are themselves.
  lab: { rooms: [...PURE, 'system', 'raft'], packages: ['node:', 'pg', 'yaml'] },
  'lab/demo': { rooms: ['lab'], packages: ['node:'] },
  chaos: { rooms: ['lab', 'sim'], packages: ['node:'] },
  bench: { rooms: ['lab', ...BORDER, 'system', 'api', 'ha'], packages: ['node:'] },
}

/** What tests may import on top of what their room may. */
const TEST_PACKAGES = ['node:', 'fast-check', 'yaml', 'pg']

export interface Violation {
  readonly file: string
  readonly line: number
  readonly imports: string
  readonly because: string
}

/** @returns the room of a file given relative to the root, longest name first; `null`: none of the rooms */
export function roomOf(file: string): string | null {
  const names = Object.keys(ROOMS).filter((name) => file.startsWith(`${name}/`))
  return names.sort((a, b) => b.length - a.length)[0] ?? null
}

/** @returns every import of one file that its room does not allow */
export function violations(file: string, source: string): readonly Violation[] {
  const room = roomOf(file)
  const rule = room === null ? null : ROOMS[room]
  if (room === null || !rule) {
    return file.startsWith('src/') ? [{ file, line: 1, imports: '', because: 'this folder is no room' }] : []
  }
  return importsOf(source).flatMap(({ line, specifier }) => {
    const because = refusal(file, room, rule, specifier)
    return because === null ? [] : [{ file, line, imports: specifier, because }]
  })
}

function refusal(file: string, room: string, rule: RoomRule, specifier: string): string | null {
  if (!specifier.startsWith('.')) {
    const allowed = file.endsWith('.test.ts') ? [...rule.packages, ...TEST_PACKAGES] : rule.packages
    const named = allowed.some((name) => specifier === name || (name === 'node:' && specifier.startsWith(name)))
    return named ? null : `${room}/ may not import ${specifier}`
  }
  if (!specifier.endsWith('.ts')) return 'imports of own files end in .ts'
  const path = normalize(join(dirname(file), specifier))
  if (file.endsWith('.test.ts') && /^(?:test\/support|src\/system)\//.test(path)) return null
  const target = roomOf(path)
  if (target === room || (target !== null && rule.rooms.includes(target.replace(/^src\//, '')))) return null
  return `${room}/ may not import from ${target ?? 'outside the rooms'}/`
}

/** Import and export lines, dynamic imports included. Comments with an import in them would count; write none. */
function importsOf(source: string): readonly { line: number; specifier: string }[] {
  const pattern =
    /^\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\b(?:import|require)\(\s*['"]([^'"]+)['"]/gm
  return [...source.matchAll(pattern)].map((match) => ({
    line: source.slice(0, match.index).split('\n').length,
    specifier: match[1] ?? match[2] ?? match[3] ?? '',
  }))
}
