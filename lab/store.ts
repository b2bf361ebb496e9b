import type { ConfigDocument } from './member.ts'

export const STORE_KINDS = ['etcd3', 'raft'] as const
export type StoreKind = (typeof STORE_KINDS)[number]

/** Where a cluster keeps its keys: looked into by tests, and what befalls it. */
export interface Store {
  readonly kind: StoreKind
  readonly isRunning: boolean
  /** Starts it, or starts it again on the same data. */
  start(): Promise<void>
  /** Nobody reaches it any more; what it holds stays. */
  stop(): Promise<void>
  /** It holds its connections and answers nothing. */
  freeze(): void
  thaw(): void
  /** @returns the value of a key; `null` when there is none */
  get(key: string): Promise<string | null>
  delete(key: string): Promise<void>
  /** What one more member says about the store in its configuration. @param folder the member's own */
  sectionFor(folder: string): Promise<ConfigDocument>
  /** Lets this member lead the store, where members do: its loss is the worst one. */
  leadFrom(config: ConfigDocument): Promise<void>
  /** How many members must run before the first of them can begin to work. */
  readonly membersNeeded: number
  /** A member with this configuration will not come back. */
  forget(config: ConfigDocument): Promise<void>
  /** Requests of clients served so far by method; `null` where nobody counts them. */
  requestsServed(): Promise<ReadonlyMap<string, number> | null>
  /** Ends it for good. */
  close(): Promise<void>
}
