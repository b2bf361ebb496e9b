import type { Clock } from '../ports/clock.ts'
import type { AgentControl, MemberStatus } from '../ports/control.ts'
import type { Log } from '../ports/log.ts'
import type { Call } from './call.ts'
import type { Service } from './exchange.ts'
import type { Observer } from './observer.ts'
import type { StatusText } from './status-text.ts'

/** What the answer goes out on. */
export interface Wire {
  readonly destroyed: boolean
  once(event: 'close', listener: () => void): unknown
}

/** What handlers see; the signal exists only for those who look at it. */
export class LiveCall implements Call {
  readonly status: MemberStatus
  readonly #service: Service
  readonly #wire: Wire
  #abort: AbortController | null = null

  constructor(service: Service, status: MemberStatus, wire: Wire) {
    this.status = status
    this.#service = service
    this.#wire = wire
  }

  get control(): AgentControl {
    return this.#service.control
  }

  get clock(): Clock {
    return this.#service.clock
  }

  get log(): Log {
    return this.#service.log
  }

  get observer(): Observer {
    return this.#service.observer
  }

  get statusText(): StatusText {
    return this.#service.statusText
  }

  get openApi(): () => Promise<string | null> {
    return this.#service.openApi
  }

  get signal(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController()
      const { waiting } = this.#service
      waiting.add(abort)
      this.#wire.once('close', () => {
        waiting.delete(abort)
        abort.abort(new Error('the client is gone'))
      })
      if (this.#wire.destroyed) abort.abort(new Error('the client is gone'))
      this.#abort = abort
    }
    return this.#abort.signal
  }
}
