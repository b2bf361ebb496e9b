import type { Lsn } from '../../src/cluster/lsn.ts'

/** What `synchronous_standby_names` asks for. */
export interface SyncRule {
  readonly kind: 'none' | 'first' | 'any'
  readonly count: number
  /** Lower case, in the order of priority; `*` is everybody. */
  readonly names: readonly string[]
}

/** Understands the setting as PostgreSQL does. */
export function parseSyncRule(text: string): SyncRule {
  const trimmed = text.trim()
  if (trimmed === '') return { kind: 'none', count: 0, names: [] }
  const match = /^(?:(first|any)\s+)?(\d+)\s*\((.*)\)$/i.exec(trimmed)
  const list = (match ? (match[3] ?? '') : trimmed)
    .split(',')
    .map((name) =>
      name
        .trim()
        .replace(/^"(.*)"$/, '$1')
        .toLowerCase(),
    )
    .filter((name) => name !== '')
  return {
    kind: match?.[1]?.toLowerCase() === 'any' ? 'any' : 'first',
    count: match ? Number(match[2]) : 1,
    names: list,
  }
}

export interface Standby {
  readonly name: string
  readonly streaming: boolean
  readonly flushLsn: Lsn
}

/** As in pg_stat_replication.sync_state. */
export function syncStates(
  rule: SyncRule,
  standbys: readonly Standby[],
): Map<string, { readonly state: 'async' | 'potential' | 'sync' | 'quorum'; readonly priority: number }> {
  const ranked = listed(rule, standbys)
  const states = new Map<string, { state: 'async' | 'potential' | 'sync' | 'quorum'; priority: number }>()
  for (const { name } of standbys) states.set(name, { state: 'async', priority: 0 })
  for (const [i, { standby, priority }] of ranked.entries())
    states.set(standby.name, {
      state: rule.kind === 'any' ? 'quorum' : i < rule.count ? 'sync' : 'potential',
      priority: rule.kind === 'any' ? 1 : priority,
    })
  return states
}

/** How far commits are confirmed by the standbys that the rule asks for; `null` while too few are connected. */
export function confirmedLsn(rule: SyncRule, standbys: readonly Standby[]): Lsn | null {
  const ranked = listed(rule, standbys)
  if (ranked.length < rule.count) return null
  if (rule.kind === 'any') {
    const positions = ranked.map(({ standby }) => standby.flushLsn).sort((a, b) => b - a)
    return positions[rule.count - 1] ?? null
  }
  return ranked
    .slice(0, rule.count)
    .map(({ standby }) => standby.flushLsn)
    .reduce((least, one) => (one < least ? one : least))
}

/** The streaming standbys that the rule names, by priority. */
function listed(
  rule: SyncRule,
  standbys: readonly Standby[],
): { readonly standby: Standby; readonly priority: number }[] {
  const ranked: { readonly standby: Standby; readonly priority: number }[] = []
  if (rule.kind === 'none') return ranked
  for (const standby of standbys) {
    const priority = standby.streaming ? priorityOf(rule, standby.name.toLowerCase()) : 0
    if (priority > 0) ranked.push({ standby, priority })
  }
  return ranked.length > 1 ? ranked.sort((a, b) => a.priority - b.priority) : ranked
}

/** From 1; 0: the rule does not name it. @param name in lower case */
function priorityOf(rule: SyncRule, name: string): number {
  return rule.names.findIndex((one) => one === '*' || one === name) + 1
}
