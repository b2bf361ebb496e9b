import { crc32 } from 'node:zlib'

/**
 * A record: length and CRC-32 of the text, each in four bytes, then the text, which is JSON and therefore has no zero
 * byte in it. A write that was cut off leaves the file short or leaves zero bytes; anything else that does not fit is
 * damage to what had been written properly, and nobody may guess what it said.
 */
const HEADER = 8
const OPENING_BRACE = 0x7b
const TEXT_MAX = 256 * 1024 * 1024

export function encodeRecord(text: string): Buffer {
  const body = Buffer.from(text, 'utf8')
  const record = Buffer.allocUnsafe(HEADER + body.length)
  record.writeUInt32BE(body.length, 0)
  record.writeUInt32BE(crc32(body), 4)
  body.copy(record, HEADER)
  return record
}

export interface Records {
  readonly texts: readonly string[]
  /** Where the last good record ends. */
  readonly end: number
  /** What follows there. `torn`: the remains of a write that was cut off. */
  readonly rest: 'nothing' | 'torn' | 'damaged'
}

export function decodeRecords(file: Buffer): Records {
  const texts: string[] = []
  let at = 0
  while (at < file.length) {
    const record = decodeAt(file, at)
    if (record === null) return { texts, end: at, rest: isTorn(file, at) ? 'torn' : 'damaged' }
    texts.push(record.toString('utf8'))
    at += HEADER + record.length
  }
  return { texts, end: at, rest: 'nothing' }
}

function decodeAt(file: Buffer, at: number): Buffer | null {
  if (at + HEADER > file.length) return null
  const length = file.readUInt32BE(at)
  const body = file.subarray(at + HEADER, at + HEADER + length)
  if (length === 0 || body.length < length || crc32(body) !== file.readUInt32BE(at + 4)) return null
  return body
}

function isTorn(file: Buffer, at: number): boolean {
  if (at + HEADER > file.length) return true
  // Where something whole follows, the length is what was damaged.
  for (let next = at + 1; next + HEADER < file.length; next += 1) {
    if (file[next + HEADER] === OPENING_BRACE && decodeAt(file, next) !== null) return false
  }
  const length = file.readUInt32BE(at)
  const end = at + HEADER + length
  if (length <= TEXT_MAX && end > file.length) return true
  // Blocks that were never written read as zeros; a record that is whole has none at its end.
  return file[file.length - 1] === 0 && (length === 0 || end >= file.length || file[end - 1] === 0)
}
