import { CtlError } from './errors.ts'

/** `server_version` as PostgreSQL counts it, in the form people use: `16.4`, before version 10 `9.6.24`. */
export function printServerVersion(version: number): string {
  const major = Math.floor(version / 10_000)
  if (version >= 100_000) return `${major}.${version % 10_000}`
  return `${major}.${Math.floor(version / 100) % 100}.${version % 100}`
}

/**
 * Checks the text of `--pg-version`: `X.Y.Z`, or `X.Y` from PostgreSQL 10 on (spec ctl.md 8.11).
 * @throws {CtlError}
 */
export function checkVersionText(text: string): void {
  const parts = text.split('.')
  const numbers = parts.map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : null))
  if (parts.length === 3 || (parts.length === 2 && (numbers[0] === null || (numbers[0] as number) >= 10))) {
    if (numbers.includes(null)) throw new CtlError(`Invalid PostgreSQL version: ${text}`)
    return
  }
  throw new CtlError(`Invalid PostgreSQL version format: X.Y or X.Y.Z is accepted: ${text}`)
}
