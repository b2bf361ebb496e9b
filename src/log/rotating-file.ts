import { type FileHandle, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sink } from './sink.ts'

export interface RotationSettings {
  readonly dir: string
  readonly mode: number
  /** Bytes; 0: no rotation. */
  readonly fileSize: number
  /** Rotated files kept; 0: no rotation. */
  readonly fileNum: number
}

/** `<dir>/patroni.log`, rotated to `patroni.log.1` and so on before it would reach its size (spec configuration.md 13.3). */
export class RotatingFile implements Sink {
  readonly #path: string
  readonly #settings: RotationSettings
  #file: FileHandle
  #size: number

  private constructor(path: string, settings: RotationSettings, file: FileHandle, size: number) {
    this.#path = path
    this.#settings = settings
    this.#file = file
    this.#size = size
  }

  /** Rejects when the directory is missing or not writable. */
  static async open(settings: RotationSettings): Promise<RotatingFile> {
    const path = join(settings.dir, 'patroni.log')
    const { file, size } = await openLog(path, settings.mode)
    return new RotatingFile(path, settings, file, size)
  }

  async write(lines: readonly string[]): Promise<void> {
    const { fileSize, fileNum } = this.#settings
    const rotates = fileSize > 0 && fileNum > 0
    let chunk: Buffer[] = []
    let chunkSize = 0
    for (const line of lines) {
      const data = Buffer.from(`${line}\n`)
      const filled = this.#size + chunkSize
      if (rotates && filled > 0 && filled + data.length >= fileSize) {
        await this.#append(chunk, chunkSize)
        chunk = []
        chunkSize = 0
        await this.#rotate()
      }
      chunk.push(data)
      chunkSize += data.length
    }
    await this.#append(chunk, chunkSize)
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #append(chunk: readonly Buffer[], size: number): Promise<void> {
    if (size === 0) return
    await this.#file.appendFile(Buffer.concat(chunk, size))
    this.#size += size
  }

  async #rotate(): Promise<void> {
    for (let i = this.#settings.fileNum - 1; i >= 1; i -= 1)
      await renameIfThere(`${this.#path}.${i}`, `${this.#path}.${i + 1}`)
    await renameIfThere(this.#path, `${this.#path}.1`)
    const old = this.#file
    const { file, size } = await openLog(this.#path, this.#settings.mode)
    this.#file = file
    this.#size = size
    await old.close()
  }
}

async function openLog(path: string, mode: number): Promise<{ readonly file: FileHandle; readonly size: number }> {
  const file = await open(path, 'a', mode)
  try {
    const { size, mode: present } = await file.stat()
    if ((present & 0o777) !== mode) await file.chmod(mode)
    return { file, size }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
