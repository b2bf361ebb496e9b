import { createConnection, createServer, type Server, type Socket } from 'node:net'

/** The way to one port of 127.0.0.1 by another one, so that it can be interrupted: pulled out, or dead silent. */
export class Wire {
  readonly port: number
  readonly #target: number
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  #isSilent = false

  /** Nothing gets through before `open`. */
  constructor(port: number, target: number) {
    this.port = port
    this.#target = target
  }

  get isOpen(): boolean {
    return this.#server !== null
  }

  async open(): Promise<void> {
    if (this.#server) return
    const server = createServer((socket) => this.#join(socket))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.port, '127.0.0.1', () => resolve())
    })
    this.#server = server
  }

  /** Connections end at once, new ones are refused. */
  async cut(): Promise<void> {
    const server = this.#server
    this.#server = null
    for (const socket of this.#sockets) socket.destroy()
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  /** Connections stay, new ones are accepted, and no byte arrives. */
  set silent(isSilent: boolean) {
    this.#isSilent = isSilent
    for (const socket of this.#sockets) if (isSilent) socket.pause()
    if (!isSilent) for (const socket of this.#sockets) socket.resume()
  }

  #join(near: Socket): void {
    const far = createConnection({ port: this.#target, host: '127.0.0.1' })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from)
      from.setNoDelay(true)
      // Few and small messages: nothing has to be held back for a reader who is slow.
      from.on('data', (bytes) => to.write(bytes))
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
      if (this.#isSilent) from.pause()
    }
  }
}
