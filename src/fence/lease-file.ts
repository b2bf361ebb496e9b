import type { FileHandle } from 'node:fs/promises'
import { open, readFile, rename } from 'node:fs/promises'

/** What the guard knows of the server and its lease; the layout is that of `struct record` in fence/guard.c. */
export interface LeaseRecord {
  /** Each guard gets a higher one; an older guard retires when it sees that. */
  readonly generation: number
  /** On the clock that counts from boot and goes on while the machine sleeps; 0: there is nothing to guard. */
  readonly deadlineMs: number
  readonly pid: number
  /** Start of the process in clock ticks since boot, as in /proc/PID/stat. */
  readonly startTicks: number
  readonly sequence: number
  /** Wall clock, for people. */
  readonly writtenMs: number
}

const MAGIC = 0x4752544d
/** What the guard writes stands behind it. */
export const RECORD_BYTES = 56

export function printLeaseRecord(record: LeaseRecord): Buffer {
  const buffer = Buffer.alloc(RECORD_BYTES)
  buffer.writeUInt32LE(MAGIC, 0)
  buffer.writeUInt32LE(record.generation, 4)
  buffer.writeBigUInt64LE(BigInt(Math.floor(record.deadlineMs)), 8)
  buffer.writeUInt32LE(record.pid, 16)
  buffer.writeBigUInt64LE(BigInt(record.startTicks), 24)
  buffer.writeBigUInt64LE(BigInt(record.sequence), 32)
  buffer.writeBigUInt64LE(BigInt(Math.floor(record.writtenMs)), 40)
  buffer.writeBigUInt64LE(checkOf(buffer), RECORD_BYTES - 8)
  return buffer
}

/** @returns `null` for anything that was not written by `printLeaseRecord` as a whole */
export function parseLeaseRecord(buffer: Buffer): LeaseRecord | null {
  if (buffer.length < RECORD_BYTES || buffer.readUInt32LE(0) !== MAGIC) return null
  if (buffer.readBigUInt64LE(RECORD_BYTES - 8) !== checkOf(buffer)) return null
  return {
    generation: buffer.readUInt32LE(4),
    deadlineMs: Number(buffer.readBigUInt64LE(8)),
    pid: buffer.readUInt32LE(16),
    startTicks: Number(buffer.readBigUInt64LE(24)),
    sequence: Number(buffer.readBigUInt64LE(32)),
    writtenMs: Number(buffer.readBigUInt64LE(40)),
  }
}

function checkOf(buffer: Buffer): bigint {
  let check = 0n
  for (let at = 0; at < RECORD_BYTES - 8; at += 8) check ^= buffer.readBigUInt64LE(at)
  return check
}

/** The file that agent and guard share. Guards of earlier agents have it open: it is never replaced once it is there. */
export class LeaseFile {
  readonly path: string
  #handle: FileHandle | null = null

  constructor(path: string) {
    this.path = path
  }

  async read(): Promise<LeaseRecord | null> {
    try {
      return parseLeaseRecord(await readFile(this.path))
    } catch {
      return null
    }
  }

  /** One write of the whole record at the beginning: a reader sees the old one or the new one. */
  async write(record: LeaseRecord): Promise<void> {
    this.#handle ??= await this.#open()
    await this.#handle.write(printLeaseRecord(record), 0, RECORD_BYTES, 0)
  }

  async close(): Promise<void> {
    await this.#handle?.close()
    this.#handle = null
  }

  async #open(): Promise<FileHandle> {
    try {
      return await open(this.path, 'r+')
    } catch {
      const fresh = `${this.path}.${process.pid}`
      const handle = await open(fresh, 'w+', 0o600)
      await rename(fresh, this.path)
      return handle
    }
  }
}
