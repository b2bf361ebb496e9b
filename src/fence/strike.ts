import { open } from 'node:fs/promises'
import { RECORD_BYTES } from './lease-file.ts'

/** The lease guard has killed a server. */
export interface Strike {
  /** Wall clock, milliseconds since 1970. */
  readonly atMs: number
  /** Of the postmaster. */
  readonly pid: number
}

const MAGIC = 0x5352544d
/** `struct strike` in fence/guard.c, behind the record of the lease. */
const BYTES = 32

/** What the guard left in the lease file, at most once: it is taken out of the file. `null`: it killed nobody. */
export async function takeStrike(leaseFile: string): Promise<Strike | null> {
  const file = await open(leaseFile, 'r+').catch(() => null)
  if (!file) return null
  try {
    const buffer = Buffer.alloc(BYTES)
    const { bytesRead } = await file.read(buffer, 0, BYTES, RECORD_BYTES)
    const strike = bytesRead === BYTES ? parseStrike(buffer) : null
    if (strike) await file.truncate(RECORD_BYTES)
    return strike
  } catch {
    return null
  } finally {
    await file.close()
  }
}

function parseStrike(buffer: Buffer): Strike | null {
  let check = 0n
  for (let at = 0; at < BYTES - 8; at += 8) check ^= buffer.readBigUInt64LE(at)
  if (buffer.readUInt32LE(0) !== MAGIC || buffer.readBigUInt64LE(BYTES - 8) !== check) return null
  return { atMs: Number(buffer.readBigUInt64LE(8)), pid: buffer.readUInt32LE(16) }
}
