import type { Branch } from '../../src/raft/kv/command.ts'
import type { Rng } from '../engine/random.ts'
import type { Scheduler } from '../engine/scheduler.ts'
import type { Courier } from './courier.ts'
import type { Operation } from './linearizable.ts'

const LIMIT_MS = 6000
/** Registers are used for so long, so that each history stays small enough to be judged. */
const EPOCH_MS = 4000
const REGISTERS = 3
/** What keys of registers begin with. */
export const REGISTER = 'r'

/** Histories of registers, by key. */
export type Histories = Map<string, Operation[]>

/** Reads, writes and compares registers, one operation at a time, and notes what it was told. */
export class RegisterClient {
  /** Operations answered. */
  answered = 0
  isStopped = false
  readonly #name: string
  readonly #scheduler: Scheduler
  readonly #rng: Rng
  readonly #courier: Courier
  readonly #histories: Histories
  #session: number | null = null
  #request = 0
  #value = 0

  constructor(name: string, world: { scheduler: Scheduler; rng: Rng; courier: Courier; histories: Histories }) {
    this.#name = name
    this.#scheduler = world.scheduler
    this.#rng = world.rng
    this.#courier = world.courier
    this.#histories = world.histories
  }

  next(): void {
    if (this.isStopped) return
    this.#scheduler.after(this.#rng.exponential(60), () => {
      if (this.#session === null) this.#open()
      else this.#operate(this.#session)
    })
  }

  #open(): void {
    this.#courier.submit({ kind: 'open' }, LIMIT_MS, (outcome) => {
      if (outcome?.result.kind === 'opened') this.#session = outcome.result.session
      this.next()
    })
  }

  #operate(session: number): void {
    const epoch = Math.floor(this.#scheduler.now / EPOCH_MS)
    const key = `${REGISTER}${epoch}-${this.#rng.int(1, REGISTERS)}`
    const history = this.#histories.get(key) ?? []
    this.#histories.set(key, history)
    const kind = this.#rng.pick(['read', 'read', 'write', 'compare-and-set'] as const)
    this.#value += 1
    const fresh = `${this.#name}.${this.#value}`
    const last = history.findLast((one) => one.returnedAt < this.#scheduler.now)
    const expected = last?.next ?? last?.value ?? null
    const operation: Operation = {
      kind,
      invokedAt: this.#scheduler.now,
      returnedAt: Number.POSITIVE_INFINITY,
      value: kind === 'write' ? fresh : kind === 'read' ? null : expected,
      next: kind === 'compare-and-set' ? fresh : null,
      succeeded: null,
    }
    history.push(operation)
    if (kind === 'read') this.#read(key, operation)
    else this.#write(session, key, operation)
  }

  #read(key: string, operation: Operation): void {
    this.#courier.read(key, LIMIT_MS, (outcome) => {
      if (outcome) {
        operation.value = outcome.value
        this.#returned(operation)
      }
      this.next()
    })
  }

  #write(session: number, key: string, operation: Operation): void {
    const { kind, value, next } = operation
    const condition = value === null ? ({ kind: 'absent', key } as const) : ({ kind: 'value', key, value } as const)
    const put = { kind: 'put', key, value: next ?? value ?? '', lease: null } as const
    const branch: Branch = { conditions: kind === 'write' ? [] : [condition], changes: [put] }
    this.#request += 1
    const request = this.#request
    const command = {
      kind: 'transaction',
      session,
      request,
      answeredBelow: request,
      transaction: { branches: [branch] },
    } as const
    this.#courier.submit(command, LIMIT_MS, (outcome) => {
      if (outcome?.result.kind === 'carried-out') {
        operation.succeeded = outcome.result.branch !== null
        this.#returned(operation)
      } else if (outcome) this.#session = null
      this.next()
    })
  }

  #returned(operation: Operation): void {
    operation.returnedAt = this.#scheduler.now
    this.answered += 1
  }
}
