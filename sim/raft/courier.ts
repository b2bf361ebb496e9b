import type { Command } from '../../src/raft/kv/command.ts'
import type { Submitted } from '../../src/raft/replica/replica.ts'
import type { Rng } from '../engine/random.ts'
import type { Scheduler } from '../engine/scheduler.ts'
import type { SimMember } from './member.ts'

const TRY_MS = 400
const SLOW_MS = 2000

/** How clients reach members: requests and answers are delayed and lost as well. Every request is tried until it is answered. */
export class Courier {
  lossRate = 0
  slowRate = 0
  readonly #scheduler: Scheduler
  readonly #rng: Rng
  readonly #members: () => readonly SimMember[]

  constructor(scheduler: Scheduler, rng: Rng, members: () => readonly SimMember[]) {
    this.#scheduler = scheduler
    this.#rng = rng
    this.#members = members
  }

  /** @param done with `null` when `limitMs` is over: it may have been carried out, or may be yet */
  submit(command: Command, limitMs: number, done: (outcome: (Submitted & { kind: 'applied' }) | null) => void): void {
    this.#persist(limitMs, done, (member, answer) => {
      member.replica?.submit(command, (outcome) => {
        if (outcome.kind === 'applied') answer(outcome)
      })
      member.pump()
    })
  }

  read(key: string, limitMs: number, done: (outcome: { readonly value: string | null } | null) => void): void {
    this.#persist(limitMs, done, (member, answer) => {
      const { replica } = member
      replica?.read((confirmed) => {
        if (confirmed) answer({ value: replica.kvs.get(key)?.value ?? null })
      })
      member.pump()
    })
  }

  #persist<T>(
    limitMs: number,
    done: (outcome: T | null) => void,
    ask: (member: SimMember, answer: (outcome: T) => void) => void,
  ): void {
    const deadline = this.#scheduler.now + limitMs
    let isOver = false
    const finish = (outcome: T | null): void => {
      if (isOver) return
      isOver = true
      done(outcome)
    }
    const attempt = (): void => {
      if (isOver) return
      if (this.#scheduler.now >= deadline) {
        finish(null)
        return
      }
      const member = this.#choose()
      if (member)
        this.#carry(() => member.run(() => member.isUp && ask(member, (outcome) => this.#carry(() => finish(outcome)))))
      this.#scheduler.after(TRY_MS * this.#rng.between(0.5, 1.5), attempt)
    }
    attempt()
  }

  #carry(what: () => void): void {
    if (this.#rng.chance(this.lossRate)) return
    const isSlow = this.#rng.chance(this.slowRate)
    this.#scheduler.after(isSlow ? this.#rng.between(10, SLOW_MS) : this.#rng.between(0.2, 3), what)
  }

  /** Mostly who leads, sometimes who believes to, or anybody. */
  #choose(): SimMember | null {
    const members = this.#members()
    if (members.length === 0) return null
    const leaders = members.filter((member) => member.replica?.raft.isLeader)
    return leaders.length > 0 && this.#rng.chance(0.85) ? this.#rng.pick(leaders) : this.#rng.pick(members)
  }
}
