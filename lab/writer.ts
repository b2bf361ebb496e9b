import type { Cluster } from './cluster.ts'
import { type Account, type Acknowledged, accountFor } from './ledger.ts'
import type { Member } from './member.ts'
import { Session } from './sql.ts'
import { sleep } from './wait.ts'

/** How long a client waits for one statement before it gives its connection up. */
const STATEMENT_LIMIT_MS = 2000

/**
 * Clients that write all the time: one at each member, each inserting a row as often as it may. The standbys refuse, so
 * the times of the acknowledged rows show when, where and for how long the cluster could be written to, and whether two
 * members could be at once.
 */
export class Writer {
  readonly acknowledged: Acknowledged[] = []
  readonly #cluster: Cluster
  readonly #everyMs: number
  readonly #clients = new Map<Member, Promise<void>>()
  readonly #stop = new AbortController()
  #seq = 0
  #firstSeq = 1

  private constructor(cluster: Cluster, everyMs: number) {
    this.#cluster = cluster
    this.#everyMs = everyMs
  }

  /** Makes the table if it is not there, and begins to write. */
  static async start(cluster: Cluster, options: { readonly everyMs?: number } = {}): Promise<Writer> {
    const leader = await cluster.healthy(60_000)
    await leader.sql('CREATE TABLE IF NOT EXISTS ledger (seq bigint PRIMARY KEY, node text NOT NULL)')
    const [row] = await leader.sql('SELECT coalesce(max(seq), 0)::int AS seq FROM ledger')
    const writer = new Writer(cluster, options.everyMs ?? 10)
    writer.#seq = Number(row?.['seq'] ?? 0)
    writer.#firstSeq = writer.#seq + 1
    writer.join()
    return writer
  }

  /** Begins to write at members that have come since. */
  join(): void {
    for (const member of this.#cluster.members) {
      if (!this.#clients.has(member)) this.#clients.set(member, this.#writeTo(member))
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#clients.values())
  }

  /** The first row that was sent after `since` and acknowledged, by `node` or (`null`) by anybody. */
  firstWrite(node: string | null, since: number): Acknowledged | null {
    return this.acknowledged.find((row) => row.sentAt > since && (node === null || row.node === node)) ?? null
  }

  /** Looks each acknowledged row up on the server that is the primary now. Stop the writer first. */
  async account(): Promise<Account> {
    const leader = await this.#cluster.healthy(60_000)
    const rows = await leader.sql('SELECT seq::int AS seq FROM ledger WHERE seq >= $1', [this.#firstSeq])
    return accountFor(this.acknowledged, new Set(rows.map((row) => Number(row['seq']))))
  }

  async #writeTo(member: Member): Promise<void> {
    let session: Session | null = null
    while (!this.#stop.signal.aborted && !this.#cluster.ended.aborted) {
      const begun = performance.now()
      try {
        session ??= await Session.open({ ...member.server, settings: QUIET }, STATEMENT_LIMIT_MS)
        await this.#write(session, member.name)
      } catch (error) {
        if (!isReadOnly(error)) {
          session?.destroy()
          session = null
        }
      }
      await sleep(Math.max(1, this.#everyMs - (performance.now() - begun)))
    }
    session?.destroy()
  }

  async #write(session: Session, node: string): Promise<void> {
    this.#seq += 1
    const seq = this.#seq
    const sentAt = performance.now()
    await session.query('INSERT INTO ledger (seq, node) VALUES ($1, $2)', [seq, node], STATEMENT_LIMIT_MS)
    this.acknowledged.push({ node, seq, sentAt, at: performance.now() })
  }
}

/** A standby's refusals would fill its log. */
const QUIET = { log_min_messages: 'panic', log_min_error_statement: 'panic' }

/** A standby refuses; so does a server on which the table has not arrived yet. */
function isReadOnly(error: unknown): boolean {
  const code = (error as { code?: string }).code
  return code === '25006' || code === '42P01'
}
