import type { Cluster } from '../cluster.ts'
import { sleep } from '../wait.ts'
import { bringUp, tellHowToConnect } from './herd.ts'
import { chapter, memberTable, redraw, styled } from './screen.ts'

const REFRESH_MS = 500

/** Shows the members until the signal aborts. */
export async function live(cluster: Cluster, signal: AbortSignal): Promise<void> {
  await bringUp(cluster)
  tellHowToConnect(cluster)
  chapter('The members, live (Ctrl-C ends everything)')
  while (!signal.aborted) {
    const rows = await cluster.rows()
    redraw(rows.length > 0 ? memberTable(rows) : styled('red', '  no agent answers'))
    await sleep(REFRESH_MS, undefined, { signal }).catch(() => undefined)
  }
}
