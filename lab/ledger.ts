/** A row that a server said it has committed. Times are of performance.now(). */
export interface Acknowledged {
  readonly node: string
  readonly seq: number
  readonly sentAt: number
  readonly at: number
}

/** A time without a single acknowledged write. */
export interface Gap {
  readonly ms: number
  readonly from: number
  readonly to: number
}

/** The longest time without an acknowledged write, among those that ended after `since`. */
export function longestGap(rows: readonly Acknowledged[], since: number): Gap {
  let longest: Gap = { ms: 0, from: since, to: since }
  const times = rows.map((row) => row.at).sort((a, b) => a - b)
  for (const [i, to] of times.entries()) {
    const from = times[i - 1]
    if (from !== undefined && to > since && to - from > longest.ms) longest = { ms: to - from, from, to }
  }
  return longest
}

/**
 * Which member took the writes that were sent after `since`, one after the other. A name that comes twice: it took
 * writes, another did, and it did again; without a switch back in between, two were primary at the same time.
 */
export function reigns(rows: readonly Acknowledged[], since: number): readonly string[] {
  const nodes = rows
    .filter((row) => row.sentAt >= since)
    .sort((a, b) => a.sentAt - b.sentAt)
    .map((row) => row.node)
  return nodes.filter((node, i) => node !== nodes[i - 1])
}

/** For how long the first member went on to acknowledge writes after another one had begun to. */
export function dualWriteMs(
  rows: readonly Acknowledged[],
  oldPrimary: string,
  newPrimary: string,
  since: number,
): number {
  const begun = rows.find((row) => row.node === newPrimary && row.sentAt > since)
  if (!begun || oldPrimary === newPrimary) return 0
  const last = rows.filter((row) => row.node === oldPrimary).at(-1)
  return last ? Math.max(0, last.at - begun.sentAt) : 0
}

/** What became of the acknowledged rows. */
export interface Account {
  readonly acknowledged: number
  readonly found: number
  readonly lost: readonly Acknowledged[]
  /** Committed, although the client never heard of it. */
  readonly unheard: number
}

/** @param present numbers of the rows that the server has, `rows` those it acknowledged */
export function accountFor(rows: readonly Acknowledged[], present: ReadonlySet<number>): Account {
  const lost = rows.filter((row) => !present.has(row.seq))
  const found = rows.length - lost.length
  return { acknowledged: rows.length, found, lost, unheard: present.size - found }
}

/**
 * Whether the lost rows are what asynchronous replication may lose and nothing else: the last ones that the dead primary
 * acknowledged, none of them older than `windowMs` when it died. Anything else would be a hole in the history.
 */
export function isLostTail(
  account: Account,
  rows: readonly Acknowledged[],
  death: { readonly node: string; readonly at: number; readonly windowMs: number },
): boolean {
  const lost = new Set(account.lost.map((row) => row.seq))
  // Its processes do not all end at the moment of the event.
  const own = rows.filter((row) => row.node === death.node)
  const tail = own.slice(own.length - lost.size)
  return tail.every((row) => lost.has(row.seq) && row.at >= death.at - death.windowMs)
}
