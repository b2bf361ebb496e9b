import { isObject } from '../../cluster/json.ts'
import type { MemberRow } from '../../cluster/member-rows.ts'
import { replicatefrom } from '../../cluster/tags.ts'

export interface TreeRow {
  readonly row: MemberRow
  /** The member's name with what draws the tree before it. */
  readonly label: string
}

/**
 * One group as a tree of who replicates from whom (spec ctl.md 4.6). Members in a `replicatefrom` circle hang below
 * the root at the end: they exist, so they must be seen.
 */
export function replicationTree(rows: readonly MemberRow[]): TreeRow[] {
  const root = rows.find((row) => row.role.endsWith('leader')) ?? null
  const others = rows.filter((row) => row !== root)
  const parentOf = (row: MemberRow): MemberRow | null => {
    const tags = row.published['tags']
    const from = isObject(tags) ? replicatefrom(tags) : null
    return others.find((other) => other !== row && other.name === from) ?? null
  }
  const drawn: TreeRow[] = root ? [{ row: root, label: root.name }] : []
  const below = (parent: MemberRow | null, depth: number): void => {
    for (const row of others.filter((one) => parentOf(one) === parent)) {
      drawn.push({ row, label: `${'  '.repeat(depth - 1)}+ ${row.name}` })
      below(row, depth + 1)
    }
  }
  below(null, 1)
  const isDrawn = new Set(drawn.map(({ row }) => row))
  const circling = others.filter((row) => !isDrawn.has(row))
  return [...drawn, ...circling.map((row) => ({ row, label: `+ ${row.name}` }))]
}
