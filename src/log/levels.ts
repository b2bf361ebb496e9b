/** Levels by the numbers that configurations may give instead of names (spec configuration.md 3.2). */
export const LEVELS = { DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, CRITICAL: 50 } as const
export type LevelName = keyof typeof LEVELS

const SPELLINGS: Readonly<Record<string, number>> = { ...LEVELS, WARN: 30, FATAL: 50, NOTSET: 0 }

/** @returns `undefined` for what is no level */
export function levelNumber(text: string): number | undefined {
  if (Object.hasOwn(SPELLINGS, text)) return SPELLINGS[text]
  return /^\d+$/.test(text) ? Number(text) : undefined
}

/** Names under which existing configurations know what is one of our components (spec configuration.md 13.6). */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  'patroni.request': ['urllib3.connectionpool', 'urllib3'],
  'patroni.dcs.etcd': ['etcd.client', 'etcd'],
  'patroni.dcs.zookeeper': ['kazoo.client', 'kazoo'],
}

/** Finds the level of a component: its own, that of its nearest parent with one, else the root's. */
export class LevelTable {
  readonly root: number
  readonly #loggers: ReadonlyMap<string, number>
  readonly #known = new Map<string, number>()

  constructor(root: string, loggers: Readonly<Record<string, string>>) {
    this.root = levelNumber(root) ?? LEVELS.INFO
    const named = Object.entries(loggers).map(([name, level]) => [name, levelNumber(level) ?? 0] as const)
    // Level 0 means "as the parent".
    this.#loggers = new Map(named.filter(([, level]) => level > 0))
  }

  of(component: string): number {
    const known = this.#known.get(component)
    if (known !== undefined) return known
    const level = this.#find(component)
    this.#known.set(component, level)
    return level
  }

  #find(component: string): number {
    for (let name = component; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
      const found = [name, ...(OTHER_NAMES[name] ?? [])].find((one) => this.#loggers.has(one))
      if (found !== undefined) return this.#loggers.get(found) ?? this.root
    }
    return this.root
  }
}
