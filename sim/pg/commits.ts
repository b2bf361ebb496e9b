import { type Lsn, lsn } from '../../src/cluster/lsn.ts'
import type { Postmaster } from './postmaster.ts'
import { confirmedLsn, parseSyncRule, type Standby, type SyncRule, syncStates } from './sync-names.ts'

interface Waiter {
  readonly end: Lsn
  readonly acknowledged: () => void
}

/** Commits on their way through a primary: written, flushed, confirmed by the standbys that the setting names. */
export class CommitQueue {
  readonly #postmaster: Postmaster
  #rule: SyncRule
  readonly #waiting: Waiter[] = []
  #flushing = false
  /** End of the last record in memory. */
  insertLsn: Lsn

  constructor(postmaster: Postmaster) {
    this.#postmaster = postmaster
    this.#rule = parseSyncRule(postmaster.files.synchronousStandbyNames)
    this.insertLsn = postmaster.files.position.lsn
  }

  get rule(): SyncRule {
    return this.#rule
  }

  /** A promotion is over: from here on this server writes itself. */
  opened(): void {
    this.insertLsn = this.#postmaster.files.position.lsn
  }

  /** @returns where the commit record ends; `null` when this server takes no writes */
  commit(bytes: number, acknowledged: (end: Lsn) => void): Lsn | null {
    const { server } = this.#postmaster
    if (!server.isWritable || server.postmaster !== this.#postmaster) return null
    this.insertLsn = lsn(Math.max(this.insertLsn, this.#postmaster.files.position.lsn) + bytes)
    const end = this.insertLsn
    this.#waiting.push({ end, acknowledged: () => acknowledged(end) })
    this.#flush()
    return end
  }

  check(): void {
    const { files, phase } = this.#postmaster
    if (phase !== 'ready' || this.#waiting.length === 0) return
    let safe: Lsn = files.position.lsn
    if (this.#rule.kind !== 'none') {
      const confirmed = confirmedLsn(this.#rule, this.standbys())
      if (confirmed === null) return
      if (confirmed < safe) safe = confirmed
    }
    while (this.#waiting[0] && this.#waiting[0].end <= safe) this.#waiting.shift()?.acknowledged()
  }

  ruleChanged(): void {
    this.#rule = parseSyncRule(this.#postmaster.files.synchronousStandbyNames)
    this.check()
  }

  /** Connections are terminated: nobody hears an acknowledgement any more. */
  drop(): void {
    this.#waiting.length = 0
  }

  standbys(): Standby[] {
    return [...this.#postmaster.links.values()].map((link) => ({
      name: link.standby.server.host,
      streaming: link.state === 'streaming',
      flushLsn: link.flushLsn,
    }))
  }

  states(): ReturnType<typeof syncStates> {
    return syncStates(this.#rule, this.standbys())
  }

  #flush(): void {
    if (this.#flushing) return
    this.#flushing = true
    const { server, process } = this.#postmaster
    server.disk.io(process, 0.4, () => {
      this.#flushing = false
      const { phase, inRecovery, files } = this.#postmaster
      if (phase !== 'ready' || inRecovery || this.insertLsn <= files.position.lsn) return
      this.#postmaster.advanceTo(this.insertLsn)
    })
  }
}
