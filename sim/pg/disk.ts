import type { Process } from '../engine/process.ts'

/** The disk under one server: usual, slow by a factor, or hanging: then nothing that waits for it goes on. */
export class Disk {
  factor = 1
  #hung = false
  #waiting: (() => void)[] = []

  get isHung(): boolean {
    return this.#hung
  }

  hang(): void {
    this.#hung = true
  }

  recover(): void {
    this.#hung = false
    for (const resume of this.#waiting.splice(0)) resume()
  }

  /** Runs `then` in the process when work of `ms` on a healthy disk is done. */
  io(process: Process, ms: number, then: () => void): void {
    if (this.#hung) {
      this.#waiting.push(() => this.io(process, ms, then))
      return
    }
    process.after(ms * this.factor, () => {
      if (this.#hung) this.#waiting.push(() => this.io(process, 0, then))
      else then()
    })
  }
}
