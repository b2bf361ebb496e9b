import type { Brand } from './brand.ts'

/**
 * A position in the write-ahead log, in bytes from its beginning (PostgreSQL's pg_lsn as a number).
 * A double holds it exactly up to 2^53, that is 8 PiB of WAL; `parseLsn` refuses more.
 */
export type Lsn = Brand<number, 'Lsn'>

export const ZERO_LSN = 0 as Lsn

export function lsn(bytes: number): Lsn {
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new RangeError(`not a WAL position: ${bytes}`)
  return bytes as Lsn
}

/** Reads `16/B374D848` (PostgreSQL) or a decimal number of bytes (the store); anything else is `null`. */
export function parseLsn(value: unknown): Lsn | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? (value as Lsn) : null
  if (typeof value !== 'string') return null
  const hex = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(value.trim())
  const bytes = hex
    ? Number.parseInt(hex[1] as string, 16) * 2 ** 32 + Number.parseInt(hex[2] as string, 16)
    : /^\s*\d+\s*$/.test(value)
      ? Number(value)
      : Number.NaN
  return Number.isSafeInteger(bytes) ? (bytes as Lsn) : null
}

/** PostgreSQL's own form, `16/B374D848`. */
export function printLsn(position: Lsn): string {
  const high = Math.floor(position / 2 ** 32)
  return `${high.toString(16)}/${(position % 2 ** 32).toString(16)}`.toUpperCase()
}

export function maxLsn(...positions: readonly (Lsn | null | undefined)[]): Lsn {
  return positions.reduce<Lsn>((most, one) => (one && one > most ? one : most), ZERO_LSN)
}
