import type { Cluster } from '../../lab/cluster.ts'
import { longestGap } from '../../lab/ledger.ts'
import { sleep, until } from '../../lab/wait.ts'
import { Writer } from '../../lab/writer.ts'

/** Writes before and after an event, so that its effect shows. */
const AROUND_MS = 700
const WRITES_MS = 20_000

export interface Written<T> {
  readonly writer: Writer
  readonly gap: { readonly ms: number }
  readonly result: T
  /** When the event began. */
  readonly since: number
}

/** Lets a writer write, does something, waits until it is `over` and a little longer, and stops the writer. */
export async function whileWriting<T>(
  cluster: Cluster,
  happens: () => Promise<T>,
  over: (writer: Writer, since: number) => Promise<unknown>,
): Promise<Written<T>> {
  const writer = await Writer.start(cluster)
  await sleep(AROUND_MS)
  await until('the writer writes', WRITES_MS, () => writer.acknowledged.length > 20)
  const since = performance.now()
  try {
    const result = await happens()
    await over(writer, since)
    await sleep(AROUND_MS)
    await writer.stop()
    return { writer, result, since, gap: longestGap(writer.acknowledged, since) }
  } finally {
    await writer.stop()
  }
}

/** Somebody else takes writes. */
export function backElsewhere(than: string, limitMs: number) {
  return (writer: Writer, since: number): Promise<unknown> =>
    until('another member takes writes', limitMs, () =>
      writer.acknowledged.find((row) => row.sentAt > since && row.node !== than),
    )
}
