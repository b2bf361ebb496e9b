import type { SqlRow } from './parts.ts'

/** A column as text; `''` for NULL. */
export function textColumn(row: SqlRow, name: string): string {
  return nullableText(row, name) ?? ''
}

export function nullableText(row: SqlRow, name: string): string | null {
  const value = row[name]
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint' ? String(value) : null
}
