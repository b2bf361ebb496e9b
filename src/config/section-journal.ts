import { resolve, sep } from 'node:path'
import type { Section } from './section.ts'
import type { Place } from './section-postgresql.ts'
import type { JournalConfig } from './types.ts'

const MEGABYTE = 1024 * 1024
const DEFAULT_SIZE = 16 * MEGABYTE
/** Less than this holds no failover. */
const SMALLEST = MEGABYTE

/**
 * Section `journal`: what the agent did and why, for `why`. It lies beside the data directory, for that one is wiped
 * when a member is copied anew. Agents of other programs pass the section over.
 */
export function journalConfig(journal: Section, dataDir: string, place: Place): JournalConfig {
  const size = journal.integer('size', DEFAULT_SIZE)
  if (size !== 0 && size < SMALLEST) journal.warning('size', `is less than ${SMALLEST} bytes, using ${SMALLEST}`)
  const fallback = `${dataDir}.journal`
  const configured = journal.text('dir')
  const dir = configured === null ? fallback : resolve(place.cwd, configured)
  const isInside = dir === dataDir || dir.startsWith(dataDir + sep)
  if (isInside) journal.warning('dir', `is inside the data directory, using ${fallback}`)
  return { dir: isInside ? fallback : dir, size: size <= 0 ? 0 : Math.max(size, SMALLEST) }
}
