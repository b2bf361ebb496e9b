import { type Lsn, maxLsn } from '../../src/cluster/lsn.ts'
import { timeline } from '../../src/cluster/timeline.ts'
import type { Timer } from '../engine/scheduler.ts'
import { ReplicationLink } from './link.ts'
import type { Postmaster } from './postmaster.ts'
import { type Branch, branchOf, includes, sharedUpTo } from './wal.ts'

/** `wal_retrieve_retry_interval`. */
const RETRY_MS = 5000
const CONNECT_TIMEOUT_MS = 10_000

/** The standby's side of replication: connects to `primary_conninfo`, again and again, and writes what it is sent. */
export class WalReceiver {
  readonly #postmaster: Postmaster
  #running = false
  #attempt = 0
  #timer: Timer | null = null
  #target: string | null = null
  link: ReplicationLink | null = null
  /** Since this start something was streamed: only then pg_last_wal_receive_lsn() tells anything. */
  everStreamed = false
  /** Why it does not stream, as PostgreSQL would log it. */
  lastError: string | null = null

  constructor(postmaster: Postmaster) {
    this.#postmaster = postmaster
  }

  start(): void {
    this.#running = true
    this.#connect()
  }

  stop(): void {
    this.#running = false
    this.#attempt++
    if (this.#timer) this.#timer.cancelled = true
    this.link?.close()
  }

  /** `primary_conninfo` was reloaded. */
  reconfigured(): void {
    if (!this.#running || this.#postmaster.files.upstream === this.#target) return
    this.link?.close()
    this.#retry(0)
  }

  lost(link: ReplicationLink): void {
    if (this.link !== link) return
    this.link = null
    if (this.#running) this.#retry(10)
  }

  wrote(branch: Branch, end: Lsn): void {
    const { files, server } = this.#postmaster
    files.position = { branch, lsn: end }
    this.everStreamed = true
    this.#postmaster.ship()
    if (this.#postmaster.replayPaused) return
    if (server.replayDelayMs === 0) this.#postmaster.replayLsn = end
    else
      this.#postmaster.process.after(server.replayDelayMs, () => {
        this.#postmaster.replayLsn = maxLsn(this.#postmaster.replayLsn, end)
      })
  }

  #retry(ms: number): void {
    if (this.#timer) this.#timer.cancelled = true
    this.#attempt++
    this.#timer = this.#postmaster.process.after(ms, () => this.#connect())
  }

  #connect(): void {
    const { files, server, process } = this.#postmaster
    const { network, servers } = server.around
    if (!this.#running || this.link) return
    this.#target = files.upstream
    const upstream = this.#target === null ? undefined : servers.get(this.#target)
    if (!upstream || this.#target === null || upstream === server) return
    this.#retry(CONNECT_TIMEOUT_MS)
    const attempt = this.#attempt
    const answer = (error: string | null, there: Postmaster | null): void => {
      network.send(upstream.host, server.host, () =>
        process.deliver(() => {
          if (attempt !== this.#attempt || !this.#running) return
          this.lastError = error
          if (error !== null || there === null || there.phase !== 'ready') this.#retry(RETRY_MS)
          else this.#attach(there)
        }),
      )
    }
    network.send(server.host, upstream.host, () => {
      const there = upstream.postmaster
      if (there === null) answer('connection refused', null)
      else there.process.deliver(() => answer(this.#obstacle(there), there))
    })
  }

  /** Why streaming cannot begin. PostgreSQL knows timelines by their numbers only. */
  #obstacle(upstream: Postmaster): string | null {
    if (upstream.phase !== 'ready') return 'the database system is starting up'
    const { files, server } = this.#postmaster
    const [mine, theirs] = [files.position, upstream.files.position]
    if (files.systemIdentifier !== upstream.files.systemIdentifier) return 'database system identifier differs'
    if (theirs.branch.timeline < mine.branch.timeline)
      return `highest timeline ${theirs.branch.timeline} of the primary is behind recovery timeline ${mine.branch.timeline}`
    files.newestTimeline = timeline(Math.max(files.newestTimeline, theirs.branch.timeline))
    const same = branchOf(theirs.branch, mine.branch.timeline)
    const shared = same && sharedUpTo(theirs, same)
    if (!same || shared === null) return `requested timeline ${mine.branch.timeline} is not in this server's history`
    if (mine.lsn > shared) return 'requested starting point is ahead of the WAL of this server'
    if (!includes(theirs, mine)) server.around.observer.historiesMixed(server, upstream.server)
    return null
  }

  #attach(upstream: Postmaster): void {
    if (this.#timer) this.#timer.cancelled = true
    const name = this.#postmaster.server.host
    upstream.links.get(name)?.close()
    this.link = new ReplicationLink(upstream, this.#postmaster)
    upstream.links.set(name, this.link)
    this.everStreamed = true
    upstream.commits.check()
    this.link.pump()
  }
}
