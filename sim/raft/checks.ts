import type { Entry, NodeId, Ready } from '../../src/raft/core/types.ts'
import type { KeyChange } from '../../src/raft/kv/history.ts'
import type { SimMember } from './member.ts'

export class Violation extends Error {
  readonly invariant: string

  constructor(invariant: string, text: string) {
    super(text)
    this.invariant = invariant
  }
}

/** Watches all members; never acts. What Raft promises (Ongaro and Ousterhout, figure 3), and that copies are equal. */
export class Checker {
  elections = 0
  committed = 0
  /** Called for every change of a key, once, by the first member that applies it. */
  onChange: (change: KeyChange) => void = () => {}
  readonly #leaders = new Map<number, NodeId>()
  /** Of everything that anybody has applied. `committedIn`: the term in which it was committed, at the latest. */
  readonly #entries = new Map<number, { readonly entry: Entry; readonly committedIn: number }>()
  readonly #images = new Map<number, string>()
  #highest = 0

  /** After every step of a member. */
  look(member: SimMember): void {
    const raft = member.replica?.raft
    if (!raft?.isLeader) return
    const { term } = raft
    // A member that alone has the vote leads before it has written so; nothing leaves it until then, and if it dies
    // first it has never led.
    if (member.disk.content.hardState.term !== term) return
    const known = this.#leaders.get(term)
    if (known === member.id) return
    if (known !== undefined) throw new Violation('election safety', `${known} and ${member.id} both lead term ${term}`)
    this.#leaders.set(term, member.id)
    this.elections += 1
    this.#checkCompleteness(member)
  }

  #checkCompleteness(member: SimMember): void {
    const { log, term } = member.replica?.raft ?? {}
    if (!log || term === undefined) return
    for (let index = Math.max(log.firstIndex, this.#highest - 300); index <= this.#highest; index += 1) {
      const known = this.#entries.get(index)
      if (known && known.committedIn < term && log.term(index) !== known.entry.term) {
        throw new Violation('leader completeness', `${member.id} leads without the committed entry ${index}`)
      }
    }
  }

  applied(member: SimMember, ready: Ready): void {
    for (const entry of ready.committed) {
      const { index, term } = entry
      const known = this.#entries.get(index)
      if (!known) {
        this.#entries.set(index, { entry, committedIn: member.replica?.raft.term ?? term })
        this.committed += 1
      } else if (!isSame(known.entry, entry)) {
        throw new Violation('state machine safety', `${member.id} applies another entry ${index} than others did`)
      }
      if (index > 1000) this.#entries.delete(index - 1000)
    }
    this.#compareImages(member)
    this.#tellChanges(member)
  }

  #tellChanges(member: SimMember): void {
    const kvs = member.replica?.kvs
    if (!kvs || kvs.index <= this.#highest) return
    for (const change of kvs.changesAfter(this.#highest) ?? []) this.onChange(change)
    this.#highest = kvs.index
  }

  /** Every so often: equal entries must have made equal states. */
  #compareImages(member: SimMember): void {
    const kvs = member.replica?.kvs
    if (!kvs || kvs.index % 40 !== 0) return
    member.watcher?.compare()
    const image = kvs.image()
    const known = this.#images.get(kvs.index)
    if (known !== undefined && known !== image) {
      throw new Violation('state machine safety', `${member.id} has other keys than others after entry ${kvs.index}`)
    }
    this.#images.set(kvs.index, image)
    this.#images.delete(kvs.index - 2000)
  }

  /** Two logs that have the same term at an index are the same up to there. */
  checkLogs(members: readonly SimMember[]): void {
    for (const [i, a] of members.entries()) {
      for (const b of members.slice(i + 1)) compareLogs(a, b)
    }
  }
}

function compareLogs(a: SimMember, b: SimMember): void {
  const [one, two] = [a.disk.content.entries, b.disk.content.entries]
  const shift = (one[0]?.index ?? 0) - (two[0]?.index ?? 0)
  let mustAgree = false
  for (let i = one.length - 1; i >= 0; i -= 1) {
    const entry = one[i] as Entry
    const other = two[i + shift]
    if (!other) continue
    if (other.term === entry.term) {
      mustAgree = true
      if (!isSame(entry, other)) {
        throw new Violation('log matching', `${a.id} and ${b.id} have two entries ${entry.index} of one term`)
      }
    } else if (mustAgree) {
      throw new Violation('log matching', `${a.id} and ${b.id} agree after entry ${entry.index}, but not there`)
    }
  }
}

/** Mostly the very same object has come by all members. */
function isSame(a: Entry, b: Entry): boolean {
  return a === b || (a.term === b.term && JSON.stringify(a.body) === JSON.stringify(b.body))
}
