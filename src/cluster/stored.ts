import type { Brand } from './brand.ts'

/** What a store calls a version of a key (revision, index, zxid, resourceVersion). Opaque: compared for equality only. */
export type Version = Brand<string, 'Version'>

export function version(text: string): Version {
  return text as Version
}

/** A key as a store returns it, before anybody has understood the value. */
export interface StoredValue {
  readonly text: string
  readonly version: Version
  /** The lease or session that the key lives on, if any. */
  readonly session: string | null
}
