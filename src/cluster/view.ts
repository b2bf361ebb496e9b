import { type FailoverRequest, parseFailoverRequest } from './failover-request.ts'
import { type History, parseHistory } from './history.ts'
import { isObject, type Json, type JsonObject, parseJson } from './json.ts'
import { type Member, parseMember } from './member.ts'
import { NO_STATUS, parseStatus, type StoredStatus } from './status.ts'
import type { StoredValue, Version } from './stored.ts'
import { NO_SYNC, parseSyncState, type SyncState } from './sync-state.ts'

/** One consistent read of everything that the store holds about one cluster (spec dcs.md 1.2). Immutable. */
export interface ClusterView {
  /** `null`: no such key. `''`: somebody is initializing the cluster now. */
  readonly initialize: string | null
  readonly config: DynamicConfig | null
  readonly leader: LeaderKey | null
  readonly status: StoredStatus
  /** Sorted by name. */
  readonly members: readonly Member[]
  readonly failover: FailoverRequest | null
  readonly sync: SyncState
  readonly history: History | null
  readonly failsafe: FailsafeRecord | null
}

export interface LeaderKey {
  readonly name: string
  /** `null` for a leader known from elsewhere than its key (failsafe mode). */
  readonly version: Version | null
  readonly session: string | null
}

/** The `config` key. `valid` is false where the value is not a JSON object: the last good one stays in force. */
export interface DynamicConfig {
  readonly version: Version
  readonly valid: boolean
  readonly document: JsonObject
}

/** The `failsafe` key: member name to REST URL, or whatever JSON was stored. */
export interface FailsafeRecord {
  readonly version: Version
  readonly document: Json
}

export const EMPTY_VIEW: ClusterView = {
  initialize: null,
  config: null,
  leader: null,
  status: NO_STATUS,
  members: [],
  failover: null,
  sync: NO_SYNC,
  history: null,
  failsafe: null,
}

/** Keys of the tree, relative to `/<namespace>/<scope>/` (spec dcs.md 2.1). */
export const KEYS = {
  initialize: 'initialize',
  config: 'config',
  leader: 'leader',
  members: 'members/',
  status: 'status',
  legacyOptime: 'optime/leader',
  history: 'history',
  failover: 'failover',
  sync: 'sync',
  failsafe: 'failsafe',
} as const

/**
 * Understands a whole tree. Each value is read by itself: one that is malformed is as if it were missing and never
 * hides the others; unknown keys are passed over.
 */
export function viewFromKeys(keys: ReadonlyMap<string, StoredValue>): ClusterView {
  return new ViewReader().read(keys)
}

/**
 * Understands the same tree again and again. A value that has not changed is not parsed again and is the same object
 * as in the view before: who depends on one may compare it by identity.
 */
export class ViewReader {
  readonly #members = new Map<string, Understood<Member | null>>()
  readonly #config = new Understood(parseDynamicConfig)
  readonly #leader = new Understood(parseLeader)
  readonly #status = new Understood((stored) => (stored ? parseStatus(stored, undefined) : null))
  readonly #failover = new Understood(parseFailoverRequest)
  readonly #sync = new Understood(parseSyncState)
  readonly #history = new Understood(parseHistory)
  readonly #failsafe = new Understood(parseFailsafe)

  read(keys: ReadonlyMap<string, StoredValue>): ClusterView {
    return {
      initialize: keys.get(KEYS.initialize)?.text ?? null,
      config: this.#config.of(keys.get(KEYS.config)),
      leader: this.#leader.of(keys.get(KEYS.leader)),
      status: this.#status.of(keys.get(KEYS.status)) ?? parseStatus(undefined, keys.get(KEYS.legacyOptime)?.text),
      members: this.#readMembers(keys),
      failover: this.#failover.of(keys.get(KEYS.failover)),
      sync: this.#sync.of(keys.get(KEYS.sync)),
      history: this.#history.of(keys.get(KEYS.history)),
      failsafe: this.#failsafe.of(keys.get(KEYS.failsafe)),
    }
  }

  #readMembers(keys: ReadonlyMap<string, StoredValue>): Member[] {
    const members: Member[] = []
    for (const [key, stored] of keys) {
      const name = key.startsWith(KEYS.members) ? key.slice(KEYS.members.length) : ''
      const member = name !== '' && !name.includes('/') ? this.#readMember(name, stored) : null
      if (member) members.push(member)
    }
    if (this.#members.size > members.length) {
      for (const name of this.#members.keys()) if (!keys.has(KEYS.members + name)) this.#members.delete(name)
    }
    return members.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  #readMember(name: string, stored: StoredValue): Member | null {
    let known = this.#members.get(name)
    if (!known) {
      known = new Understood((given) => (given ? parseMember(name, given.text, given.version, given.session) : null))
      this.#members.set(name, known)
    }
    return known.of(stored)
  }
}

/** What the value of one key means, kept until the key changes. */
class Understood<T> {
  readonly #parse: (stored: StoredValue | undefined) => T
  #last: { readonly stored: StoredValue | undefined; readonly meaning: T } | null = null

  constructor(parse: (stored: StoredValue | undefined) => T) {
    this.#parse = parse
  }

  of(stored: StoredValue | undefined): T {
    if (this.#last && isSame(this.#last.stored, stored)) return this.#last.meaning
    const meaning = this.#parse(stored)
    this.#last = { stored, meaning }
    return meaning
  }
}

/** By the text too: a store that is put back from a backup counts its versions anew. */
function isSame(a: StoredValue | undefined, b: StoredValue | undefined): boolean {
  if (a === b) return true
  return a !== undefined && b !== undefined && a.version === b.version && a.session === b.session && a.text === b.text
}

function parseDynamicConfig(stored: StoredValue | undefined): DynamicConfig | null {
  if (!stored) return null
  const document = parseJson(stored.text)
  const valid = isObject(document)
  return { version: stored.version, valid, document: valid ? document : {} }
}

function parseFailsafe(stored: StoredValue | undefined): FailsafeRecord | null {
  return stored ? { version: stored.version, document: parseJson(stored.text) ?? null } : null
}

function parseLeader(stored: StoredValue | undefined): LeaderKey | null {
  if (!stored || stored.text === '') return null
  return { name: stored.text, version: stored.version, session: stored.session }
}

export function isLocked(view: ClusterView): boolean {
  return view.leader !== null && view.leader.name !== ''
}

export function lockOwner(view: ClusterView): string | null {
  return view.leader && view.leader.name !== '' ? view.leader.name : null
}

export function memberNamed(view: ClusterView, name: string | null): Member | null {
  return name === null ? null : (view.members.find((member) => member.name === name) ?? null)
}

/** The member key of the lock owner; `null` when there is no owner or its key is gone. */
export function leaderMember(view: ClusterView): Member | null {
  return memberNamed(view, lockOwner(view))
}

/** Nothing at all under the cluster's prefix. */
export function isEmptyView(view: ClusterView): boolean {
  return (
    view.initialize === null &&
    view.config === null &&
    view.leader === null &&
    view.members.length === 0 &&
    view.failover === null &&
    view.sync.version === null &&
    view.history === null &&
    view.status === NO_STATUS
  )
}

/** Members by name to REST URL as failsafe mode recorded them; `null` when the key is missing or of another shape. */
export function failsafeMembers(view: ClusterView): Readonly<Record<string, string>> | null {
  const document = view.failsafe?.document
  if (!isObject(document) || Object.keys(document).length === 0) return null
  const urls = Object.entries(document).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return Object.fromEntries(urls)
}

/** The system identifier in `initialize`, if it is one: at least ten digits and nothing else. */
export function isSystemIdentifier(text: string | null): text is string {
  return text !== null && /^\d{10,}$/.test(text)
}
