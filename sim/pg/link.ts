import type { Lsn } from '../../src/cluster/lsn.ts'
import type { Postmaster } from './postmaster.ts'
import { branchAt } from './wal.ts'

const TICK_MS = 2000
const RESEND_AFTER_MS = 1000
const KEEPALIVE_MS = 10_000
/** `wal_sender_timeout` and `wal_receiver_timeout`. */
const TIMEOUT_MS = 60_000

/** One replication connection: a walsender there, a walreceiver here, and one message on its way at a time. */
export class ReplicationLink {
  readonly upstream: Postmaster
  readonly standby: Postmaster
  readonly pid: number
  state: 'catchup' | 'streaming' | 'closed' = 'catchup'
  flushLsn: Lsn
  #inFlight = false
  #sentAt = 0
  #heardAt: number

  constructor(upstream: Postmaster, standby: Postmaster) {
    this.upstream = upstream
    this.standby = standby
    const { around } = upstream.server
    this.pid = around.rng.int(1000, 60_000)
    this.flushLsn = standby.files.position.lsn
    this.#heardAt = around.scheduler.now
    if (this.flushLsn >= upstream.files.position.lsn) this.state = 'streaming'
    this.#tick()
  }

  /** Sends what the standby lacks, unless a message is on its way already. */
  pump(force = false): void {
    if (this.state === 'closed' || this.#inFlight) return
    const { files, process, server } = this.upstream
    const target = files.position.lsn
    if (this.flushLsn >= target && !force) return
    this.#inFlight = true
    const { network, scheduler } = server.around
    this.#sentAt = scheduler.now
    process.deliver(() => {
      network.send(server.host, this.standby.server.host, () =>
        this.standby.process.deliver(() => this.#received(target)),
      )
    })
  }

  close(): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    if (this.upstream.links.get(this.standby.server.host) === this) this.upstream.links.delete(this.standby.server.host)
    this.standby.receiver.lost(this)
  }

  #received(target: Lsn): void {
    if (this.state === 'closed') return
    const { server, process, files } = this.standby
    const { network } = server.around
    const write = (): void => {
      if (this.state === 'closed' || !this.standby.inRecovery) return
      if (target > files.position.lsn)
        this.standby.receiver.wrote(branchAt(this.upstream.files.position.branch, target), target)
      network.send(server.host, this.upstream.server.host, () =>
        this.upstream.process.deliver(() => this.#confirmed(target)),
      )
    }
    if (target > files.position.lsn) server.disk.io(process, 0.4, write)
    else write()
  }

  #confirmed(target: Lsn): void {
    if (this.state === 'closed') return
    this.#inFlight = false
    this.#heardAt = this.upstream.server.around.scheduler.now
    if (target > this.flushLsn) this.flushLsn = target
    if (this.flushLsn >= this.upstream.files.position.lsn) this.state = 'streaming'
    this.upstream.commits.check()
    this.pump()
  }

  #tick(): void {
    this.upstream.process.after(TICK_MS, () => {
      if (this.state === 'closed') return
      const { now } = this.upstream.server.around.scheduler
      if (now - this.#heardAt > TIMEOUT_MS) return this.close()
      if (this.#inFlight && now - this.#sentAt > RESEND_AFTER_MS) this.#inFlight = false
      this.pump(now - this.#heardAt > KEEPALIVE_MS)
      this.#tick()
    })
  }
}
