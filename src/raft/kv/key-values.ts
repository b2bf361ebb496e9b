import { type Change, type Command, type Condition, type Result, readCommand, type Transaction } from './command.ts'
import { History, type KeyChange, type KeyValue } from './history.ts'
import { Sessions, type SessionsImage } from './sessions.ts'

/** A lease as the log knows it: how long it lasts, and the entry that last renewed it. When it ends is not in the log. */
export interface LeaseState {
  readonly ttlMs: number
  readonly renewal: number
}

interface Image {
  readonly format: 1
  readonly keys: readonly KeyValue[]
  readonly leases: readonly (readonly [string, LeaseState])[]
  readonly sessions: SessionsImage
}

/**
 * The state machine: keys with versions, leases that keys live on, sessions. The same entries make the same state
 * everywhere; time enters only as the leader's `expire` commands.
 */
export class KeyValues {
  readonly #keys: Map<string, KeyValue>
  readonly #leases: Map<string, LeaseState>
  readonly #sessions: Sessions
  readonly #history: History
  /** The last entry applied. */
  #index: number

  /** @param snapshot as `image` has printed it after the entry `index` */
  constructor(snapshot: string | null = null, index = 0) {
    const image = snapshot ? readImage(snapshot) : null
    this.#keys = new Map(image?.keys.map((kv) => [kv.key, kv]))
    this.#leases = new Map(image?.leases)
    this.#sessions = new Sessions(image?.sessions)
    this.#history = new History(index)
    this.#index = index
  }

  get index(): number {
    return this.#index
  }

  get leases(): ReadonlyMap<string, LeaseState> {
    return this.#leases
  }

  get(key: string): KeyValue | null {
    return this.#keys.get(key) ?? null
  }

  withPrefix(prefix: string): KeyValue[] {
    return [...this.#keys.values()].filter(({ key }) => key.startsWith(prefix))
  }

  /** The changes after that entry; `null`: too long ago. */
  changesAfter(index: number): readonly KeyChange[] | null {
    return this.#history.after(index)
  }

  image(): string {
    const image: Image = {
      format: 1,
      keys: [...this.#keys.values()],
      leases: [...this.#leases],
      sessions: this.#sessions.image(),
    }
    return JSON.stringify(image)
  }

  /** @param text `null` for an entry that holds no command */
  apply(index: number, text: string | null): Result | null {
    this.#index = index
    return text === null ? null : this.#carryOut(index, readCommand(text))
  }

  #carryOut(index: number, command: Command): Result {
    switch (command.kind) {
      case 'open':
        this.#sessions.open(index)
        return { kind: 'opened', session: index }
      case 'expire':
        this.#expire(index, command)
        return { kind: 'expired' }
      case 'transaction': {
        const { session, request, answeredBelow } = command
        const before = this.#sessions.find(session, request)
        if (before === 'unknown') return { kind: 'no-session' }
        if (before !== 'new') return before
        const result = this.#transact(index, session, command.transaction)
        this.#sessions.note(session, { number: request, answeredBelow }, result, index)
        return result
      }
    }
  }

  #transact(index: number, session: number, { branches }: Transaction): Result {
    const branch = branches.findIndex(({ conditions }) => conditions.every((condition) => this.#holds(condition)))
    for (const change of branches[branch]?.changes ?? []) this.#change(index, session, change)
    return { kind: 'carried-out', branch: branch < 0 ? null : branch, version: index }
  }

  #holds(condition: Condition): boolean {
    const present = this.#keys.get(condition.key)
    switch (condition.kind) {
      case 'absent':
        return present === undefined
      case 'version':
        return present?.version === condition.version
      case 'value':
        return present?.value === condition.value
    }
  }

  #change(index: number, session: number, change: Change): void {
    switch (change.kind) {
      case 'put':
        this.#set(index, session, change.key, {
          key: change.key,
          value: change.value,
          version: index,
          lease: change.lease,
        })
        return
      case 'bind': {
        const present = this.#keys.get(change.key)
        if (present) this.#keys.set(change.key, { ...present, lease: change.lease })
        return
      }
      case 'delete':
        this.#set(index, session, change.key, null)
        return
      case 'delete-prefix':
        for (const { key } of this.withPrefix(change.prefix)) this.#set(index, session, key, null)
        return
      case 'lease':
        this.#leases.set(change.lease, { ttlMs: change.ttlMs, renewal: index })
        return
    }
  }

  #expire(index: number, { lease, renewal }: Command & { kind: 'expire' }): void {
    // Renewed after the leader looked: it lives.
    if (this.#leases.get(lease)?.renewal !== renewal) return
    this.#leases.delete(lease)
    for (const kv of this.#keys.values()) if (kv.lease === lease) this.#set(index, null, kv.key, null)
  }

  #set(index: number, session: number | null, key: string, after: KeyValue | null): void {
    const before = this.#keys.get(key) ?? null
    if (after) this.#keys.set(key, after)
    else if (!this.#keys.delete(key)) return
    this.#history.add({ key, index, before, after, session })
  }
}

function readImage(text: string): Image {
  const image = JSON.parse(text) as Image
  if (image.format !== 1) throw new Error(`a snapshot of format ${String(image.format)} cannot be read`)
  return image
}
