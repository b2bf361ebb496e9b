import type { Cluster, MemberRow } from '../cluster.ts'
import { ctl } from '../ctl.ts'
import { type Account, isLostTail, longestGap } from '../ledger.ts'
import type { Member } from '../member.ts'
import { sleep, until } from '../wait.ts'
import { Writer } from '../writer.ts'
import { bringUp, TIMING } from './herd.ts'
import { bad, chapter, clear, command, good, memberTable, progress, quote, say, seconds } from './screen.ts'

const LIMIT_MS = 60_000
/** How old an acknowledged row may be and still be lost with the primary: replication does not wait for the standbys. */
const ASYNC_WINDOW_MS = 500

/** The guided tour. @returns whether everything went as it should */
export async function tour(cluster: Cluster): Promise<boolean> {
  await bringUp(cluster)
  const writer = await beginToWrite(cluster)
  const old = await cluster.healthy(LIMIT_MS)
  const death = await loseTheHost(cluster, writer, old)
  await comeBack(cluster, old)
  const kept = await accountAfterLoss(writer, death)
  const moved = await switchover(cluster)
  chapter('That is it')
  say(memberTable(await settledRows(cluster)))
  say()
  quote((await ctl(cluster, ['history', cluster.scope])).stdout)
  return kept && moved
}

interface Death {
  readonly node: string
  readonly at: number
  readonly windowMs: number
}

async function beginToWrite(cluster: Cluster): Promise<Writer> {
  chapter('A client begins to write, a row every 10 ms')
  const writer = await Writer.start(cluster)
  await watching(2500, () => `  ${writer.acknowledged.length} rows acknowledged`)
  good(`${writer.acknowledged.length} rows acknowledged so far; each number is remembered`)
  return writer
}

async function loseTheHost(cluster: Cluster, writer: Writer, old: Member): Promise<Death> {
  chapter(`The host of the primary, ${old.name}, loses power`)
  say(
    `  SIGKILL to its agent (pid ${old.agentPid}) and to its PostgreSQL (pid ${old.postmasterPid()}) with all its processes.`,
  )
  say(
    `  ${old.name} held the lock by a lease of ${TIMING.ttl} s. Nobody may take over before it ends: that is what keeps two`,
  )
  say('  servers from being primary at the same time.')
  const at = performance.now()
  await old.killHost()
  const next = await until('another server takes writes', LIMIT_MS, () => {
    progress(`  ${seconds(performance.now() - at)} without a primary`)
    return writer.acknowledged.find((row) => row.sentAt > at && row.node !== old.name)
  })
  clear()
  await sleep(1500)
  await writer.stop()
  const gap = longestGap(writer.acknowledged, at)
  const leader = await cluster.healthy(LIMIT_MS)
  good(
    `${next.node} took over, on timeline ${(await leader.report())?.timeline}: writes stopped for ${seconds(gap.ms)}`,
  )
  quote(
    logLines(leader, /promoted self|acquired session lock|Lock owner|promote/)
      .slice(-4)
      .join('\n'),
  )
  say(memberTable(await settledRows(cluster)))
  return { node: old.name, at, windowMs: ASYNC_WINDOW_MS }
}

async function comeBack(cluster: Cluster, old: Member): Promise<void> {
  chapter(`${old.name} is switched on again`)
  say('  It still believes to be a primary and may have rows that nobody else has. It must not serve them to anyone.')
  const from = old.logSize()
  const startedAt = performance.now()
  await old.start()
  await cluster.healthy(LIMIT_MS)
  const log = old.logSince(from)
  const how = /running pg_rewind/.test(log)
    ? 'by pg_rewind'
    : 'without pg_rewind: its history was a part of the new one'
  good(`${old.name} streams from the new primary after ${seconds(performance.now() - startedAt)}, ${how}`)
  const said = log
    .split('\n')
    .filter((line) => /pg_rewind|Local timeline|primary_timeline|starting as a secondary/.test(line))
  if (said.length > 0) quote(said.slice(0, 6).join('\n'))
  say(memberTable(await settledRows(cluster)))
}

async function accountAfterLoss(writer: Writer, death: Death): Promise<boolean> {
  chapter('Every acknowledged row is looked up')
  const account = await writer.account()
  tellAccount(account)
  if (account.lost.length === 0) return true
  if (!isLostTail(account, writer.acknowledged, death)) {
    bad('rows are missing that had been replicated: this is a bug')
    return false
  }
  const oldest = Math.max(...account.lost.map((row) => death.at - row.at))
  say(
    `  The ${account.lost.length} rows were the last that ${death.node} acknowledged, within ${Math.max(1, Math.round(oldest))} ms of its death, and had not`,
  )
  say('  left it. That is what asynchronous replication means: a primary does not wait for its standbys.')
  return true
}

async function switchover(cluster: Cluster): Promise<boolean> {
  const from = await cluster.healthy(LIMIT_MS)
  const to = cluster.members.find((member) => member !== from) ?? from
  chapter(`A switchover, as for maintenance: from ${from.name} to ${to.name}, with the client writing`)
  const writer = await Writer.start(cluster)
  await sleep(1500)
  const words = ['switchover', cluster.scope, '--leader', from.name, '--candidate', to.name, '--force']
  command(`matriarchctl ${words.join(' ')}`)
  const at = performance.now()
  const result = await ctl(cluster, words)
  quote(`${result.stdout}${result.stderr}`)
  if (result.code !== 0) {
    bad(`the command ended with code ${result.code}`)
    await writer.stop()
    return false
  }
  await until(`${to.name} takes writes`, LIMIT_MS, () => writer.firstWrite(to.name, at))
  await sleep(1500)
  await writer.stop()
  await cluster.healthy(LIMIT_MS)
  good(`writes stopped for ${seconds(longestGap(writer.acknowledged, at).ms)}`)
  const account = await writer.account()
  tellAccount(account)
  return account.lost.length === 0
}

function tellAccount({ acknowledged, found, lost, unheard }: Account): void {
  const tell = lost.length === 0 ? good : bad
  const more = unheard > 0 ? ` (and ${unheard} more whose answer never arrived)` : ''
  tell(`${acknowledged} rows acknowledged, ${found} found${more}, ${lost.length} lost`)
}

function logLines(member: Member, pattern: RegExp): readonly string[] {
  return member
    .logSince()
    .split('\n')
    .filter((line) => pattern.test(line))
}

async function watching(ms: number, text: () => string): Promise<void> {
  const end = performance.now() + ms
  while (performance.now() < end) {
    progress(text())
    await sleep(100)
  }
  clear()
}

/** The members' own words, once they agree: what a member publishes may be some seconds old. */
async function settledRows(cluster: Cluster): Promise<readonly MemberRow[]> {
  const limitMs = 2000 * TIMING.loopWait
  const agree = (rows: readonly MemberRow[]): boolean =>
    rows.every(
      (row) => row.state === (row.role === 'leader' ? 'running' : 'streaming') && row.timeline === rows[0]?.timeline,
    )
  const settled = until('the members agree', limitMs, async () => {
    const rows = await cluster.rows()
    return rows.length > 0 && agree(rows) && rows
  })
  return settled.catch(() => cluster.rows())
}
