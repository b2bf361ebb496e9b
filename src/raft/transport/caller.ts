import { splitHostPort } from '../../cluster/host-port.ts'
import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { Budget, Clock } from '../../ports/clock.ts'
import type { Link, LinkOptions } from './link.ts'

export interface CallerOptions {
  readonly address: string
  readonly clock: Clock
  readonly connect: (
    place: { readonly host: string; readonly port: number },
    events: Pick<LinkOptions, 'onReady' | 'onText' | 'onClose'>,
  ) => Link
  readonly onText: (link: Link, text: string) => void
  readonly onReady: () => void
  readonly onLost: (link: Link, reason: string) => void
}

/** Between attempts to connect, doubled up to the second. */
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 1000
/** A connection that takes longer, and one on which nothing is answered for so long, is given up. */
const SILENCE_MS = 3000

/** Keeps one outgoing connection to one address, as long as it is wanted. */
export class Caller {
  /** Why there was no connection the last time. */
  trouble = 'not connected yet'
  readonly #options: CallerOptions
  readonly #end = new AbortController()
  #link: Link | null = null
  #isUp = false
  #begunAt: Instant
  /** Since when something was sent and nothing heard. */
  #unansweredSince: Instant | null = null
  #pauseMs = FIRST_PAUSE_MS
  #waiting: (() => void)[] = []

  constructor(options: CallerOptions) {
    this.#options = options
    this.#begunAt = options.clock.now()
    this.#connect()
  }

  get isReady(): boolean {
    return this.#isUp
  }

  has(link: Link): boolean {
    return this.#link === link
  }

  /** @returns whether a connection took it */
  send(text: string): boolean {
    if (!this.#isUp || !this.#link?.send(text)) return false
    this.noteSent()
    return true
  }

  noteSent(): void {
    this.#unansweredSince ??= this.#options.clock.now()
  }

  noteHeard(): void {
    this.#unansweredSince = null
  }

  /** @returns `null` when there is no connection within the budget, or an attempt has just failed */
  async whenReady(budget: Budget): Promise<Link | null> {
    if (!this.#isUp) {
      const time = this.#options.clock.deadline(budget.deadline, budget.signal)
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
        if (time.signal.aborted) resolve()
        else time.signal.addEventListener('abort', () => resolve(), { once: true })
      })
      time.done()
    }
    return this.#isUp ? this.#link : null
  }

  look(now: Instant): void {
    const tooLong = (since: Instant): boolean => elapsedMs(since, now) > SILENCE_MS
    if (!this.#isUp && this.#link && tooLong(this.#begunAt)) this.#link.close('it does not answer')
    else if (this.#isUp && this.#unansweredSince !== null && tooLong(this.#unansweredSince)) {
      this.#link?.close('it has fallen silent')
    }
  }

  close(): void {
    this.#end.abort()
    this.#link?.close('closing')
    this.#wake()
  }

  #connect(): void {
    const { address, clock, connect, onText, onReady, onLost } = this.#options
    const { host, port } = splitHostPort(address, null)
    this.#begunAt = clock.now()
    this.#unansweredSince = null
    this.#link = connect(
      { host, port: Number(port) },
      {
        onText,
        onReady: () => {
          this.#isUp = true
          this.#pauseMs = FIRST_PAUSE_MS
          onReady()
          this.#wake()
        },
        onClose: (link, reason) => {
          this.#isUp = false
          this.#link = null
          this.trouble = reason
          if (this.#end.signal.aborted) return
          onLost(link, reason)
          this.#wake()
          void this.#again()
        },
      },
    )
  }

  async #again(): Promise<void> {
    const { clock } = this.#options
    const pauseMs = this.#pauseMs
    this.#pauseMs = Math.min(LAST_PAUSE_MS, pauseMs * 2)
    await clock.sleep(pauseMs, this.#end.signal)
    if (!this.#end.signal.aborted) this.#connect()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
