import type { Member } from '../lab/member.ts'
import type { Row, Session } from '../lab/sql.ts'
import { sleep } from '../lab/wait.ts'
import type { Rng } from '../sim/engine/random.ts'
import type { Mode } from './checker.ts'
import { Connection, Follower, isRefusal, STATEMENT_LIMIT_MS } from './follower.ts'
import type { Append, History, Moment, Stream, Total, Transfer, Write } from './history.ts'
import { ACCOUNTS, PLACE, placeOf } from './tables.ts'

/** How often each kind of client writes. */
const OBSERVE_EVERY_MS = 20
const INSERT_EVERY_MS = 40
const TRANSFER_EVERY_MS = 60
const APPEND_EVERY_MS = 60
const READ_EVERY_MS = 500
/** Of each kind of client. */
const CLIENTS = 2
/** Longer lists would make each append copy more and more. */
const LIST_LENGTH = 200

/** All clients, in this process, with one clock and one account of what they saw. */
export class Clients implements History {
  readonly rows: Write[] = []
  readonly transfers: Transfer[] = []
  readonly appends: Append[] = []
  readonly totals: Total[] = []
  readonly streams: Stream[] = []
  readonly #members: readonly Member[]
  readonly #rng: Rng
  readonly #mode: Mode
  readonly #startedAt = performance.now()
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []
  #id = 0
  #lastWriter: string | null = null

  private constructor(members: readonly Member[], mode: Mode, rng: Rng) {
    this.#members = members
    this.#mode = mode
    this.#rng = rng
  }

  /** Begins to write; the tables exist. @param members all of them: nobody tells a client which is the primary */
  static start(members: readonly Member[], mode: Mode, rng: Rng): Clients {
    const clients = new Clients(members, mode, rng)
    for (const member of members) clients.#running.push(clients.#observe(member), clients.#read(member))
    for (let i = 1; i <= CLIENTS; i += 1) {
      clients.#follow(INSERT_EVERY_MS, (session, node) => clients.#insert(session, node, `rows${i}`))
      clients.#follow(TRANSFER_EVERY_MS, (session, node) => clients.#transfer(session, node, `bank${i}`))
      clients.#follow(APPEND_EVERY_MS, (session, node) => clients.#append(session, node, `lists${i}`))
    }
    return clients
  }

  /** Milliseconds since the clients began. */
  now(): Moment {
    return performance.now() - this.#startedAt
  }

  /** The member that acknowledged the last write; `null`: none was so far. */
  get lastWriter(): string | null {
    return this.#lastWriter
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
  }

  #follow(everyMs: number, write: (session: Session, node: string) => Promise<void>): void {
    this.#running.push(new Follower(this.#members, this.#stop.signal).run(everyMs, write))
  }

  /** Tries a write at one member all the time, whatever the member says it is. */
  async #observe(member: Member): Promise<void> {
    const connection = new Connection(member)
    while (!this.#stop.signal.aborted) {
      const begun = performance.now()
      try {
        await connection.use((session) => this.#insert(session, member.name, `observer of ${member.name}`))
      } catch (error) {
        if (!isRefusal(error)) connection.close()
      }
      await sleep(Math.max(1, OBSERVE_EVERY_MS - (performance.now() - begun)))
    }
    connection.close()
  }

  /** Reads the sum of all accounts at one member, primary or not, and who its replicas are. */
  async #read(member: Member): Promise<void> {
    const connection = new Connection(member)
    while (!this.#stop.signal.aborted) {
      await sleep(READ_EVERY_MS)
      try {
        const [row] = await connection.use((session) =>
          session.query(
            `SELECT sum(balance)::int AS sum, NOT pg_is_in_recovery() AS writable,
               ARRAY(SELECT application_name FROM pg_stat_replication
                 WHERE state = 'streaming' AND (sync_state <> 'async' OR $1)) AS replicas FROM account`,
            [this.#mode === 'async'],
            STATEMENT_LIMIT_MS,
          ),
        )
        this.totals.push({ node: member.name, at: this.now(), sum: Number(row?.['sum']) })
        const replicas = row?.['replicas'] as readonly string[]
        if (row?.['writable'] === true) this.streams.push({ at: this.now(), primary: member.name, replicas })
      } catch {
        connection.close()
      }
    }
    connection.close()
  }

  async #insert(session: Session, node: string, client: string): Promise<void> {
    const write = this.#sent(client, node)
    const insert = `INSERT INTO written (id, client) VALUES ($1, $2) RETURNING ${PLACE}`
    await this.#record(this.rows, write, () => session.query(insert, [write.id, client], STATEMENT_LIMIT_MS))
  }

  /** Several statements, so that a server may go away in the middle. */
  async #transfer(session: Session, node: string, client: string): Promise<void> {
    const from = this.#rng.int(1, ACCOUNTS)
    const to = 1 + (from % ACCOUNTS)
    const amount = this.#rng.int(1, 100)
    const transfer = { ...this.#sent(client, node), from, to, amount }
    const change = 'UPDATE account SET balance = balance + $2 WHERE id = $1'
    await this.#record(this.transfers, transfer, async () => {
      await session.query('BEGIN', [], STATEMENT_LIMIT_MS)
      try {
        await session.query(change, [Math.min(from, to), from < to ? -amount : amount], STATEMENT_LIMIT_MS)
        await session.query(change, [Math.max(from, to), from < to ? amount : -amount], STATEMENT_LIMIT_MS)
        const insert = `INSERT INTO transfer VALUES ($1, $2, $3, $4) RETURNING ${PLACE}`
        const rows = await session.query(insert, [transfer.id, from, to, amount], STATEMENT_LIMIT_MS)
        await session.query('COMMIT', [], STATEMENT_LIMIT_MS)
        return rows
      } catch (error) {
        session.destroy()
        throw error
      }
    })
  }

  async #append(session: Session, node: string, client: string): Promise<void> {
    const sent = this.#sent(client, node)
    const append = { ...sent, list: Math.floor(this.appends.length / LIST_LENGTH), length: null }
    await this.#record(this.appends, append, () =>
      session.query(
        `INSERT INTO list AS l VALUES ($1, ARRAY[$2::bigint]) ON CONFLICT (id) DO UPDATE SET items = l.items || $2::bigint
           RETURNING cardinality(items) AS length, ${PLACE}`,
        [append.list, append.id],
        STATEMENT_LIMIT_MS,
      ),
    )
  }

  #sent(client: string, node: string): Write {
    this.#id += 1
    return { client, node, id: this.#id, sentAt: this.now(), at: null, position: null, timeline: null }
  }

  /** What was refused did not happen and is not kept; of what got no answer nobody knows. */
  async #record<W extends Write>(kept: W[], write: W, run: () => Promise<readonly Row[]>): Promise<void> {
    try {
      const [row] = await run()
      const length = row?.['length'] === undefined ? {} : { length: Number(row['length']) }
      kept.push({ ...write, ...length, ...placeOf(row), at: this.now() })
      this.#lastWriter = write.node
    } catch (error) {
      if (!isRefusal(error)) kept.push(write)
      throw error
    }
  }
}
