/** Times are milliseconds of one monotonic clock, that of the process in which all clients run. */
export type Moment = number

/** A write that a client sent. */
export interface Write {
  readonly client: string
  /** The member it was sent to. */
  readonly node: string
  /** Unique among the writes of its kind. */
  readonly id: number
  readonly sentAt: Moment
  /** When the server said that it is committed; `null`: it never said so, it may or may not have happened. */
  readonly at: Moment | null
  /** Position in the WAL (in bytes) and timeline shortly before the commit; `null` for one without an answer. */
  readonly position: number | null
  readonly timeline: number | null
}

export interface Acknowledged extends Write {
  readonly at: Moment
  readonly position: number
  readonly timeline: number
}

export interface Transfer extends Write {
  readonly from: number
  readonly to: number
  readonly amount: number
}

export interface Append extends Write {
  readonly list: number
  /** How many elements the list had with this one; `null` without an answer. */
  readonly length: number | null
}

/** The sum of all accounts, read in one snapshot on some member. */
export interface Total {
  readonly node: string
  readonly at: Moment
  readonly sum: number
}

/** What a primary said of its replicas at a moment. */
export interface Stream {
  readonly at: Moment
  readonly primary: string
  /** Those that streamed; in the synchronous modes, those for which commits waited. */
  readonly replicas: readonly string[]
}

/** What clients and observers saw. */
export interface History {
  readonly rows: readonly Write[]
  readonly transfers: readonly Transfer[]
  readonly appends: readonly Append[]
  readonly totals: readonly Total[]
  readonly streams: readonly Stream[]
}

/** What the primary holds after everything was healed. */
export interface FinalState {
  readonly rows: ReadonlySet<number>
  readonly transfers: ReadonlyMap<number, Pick<Transfer, 'from' | 'to' | 'amount'>>
  readonly balances: ReadonlyMap<number, number>
  readonly lists: ReadonlyMap<number, readonly number[]>
}

/** A fault as it was. */
export interface FaultRecord {
  readonly number: number
  readonly kind: string
  readonly on: string
  readonly from: Moment
  readonly to: Moment
  /** Members and stores that cannot do their part while it lasts. */
  readonly members: readonly string[]
  readonly stores: readonly string[]
  /** The cluster cannot take writes while it lasts, whatever it does. */
  readonly isUnavoidable: boolean
}

export function isAcknowledged<W extends Write>(write: W): write is W & Acknowledged {
  return write.at !== null && write.position !== null && write.timeline !== null
}

/** Everything that was acknowledged, of all kinds, in the order in which it was. */
export function acknowledgedWrites(history: History): readonly Acknowledged[] {
  const all: readonly Write[] = [...history.rows, ...history.transfers, ...history.appends]
  return all.filter(isAcknowledged).sort((a, b) => a.at - b.at)
}
