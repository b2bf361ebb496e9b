import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Member } from '../../cluster/member.ts'
import { later } from '../../cluster/time.ts'
import type { Config } from '../../config/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { rewindUser, upstreamKeywords } from '../credentials.ts'
import { dataDirectoryModes, syncDirectory } from '../files.ts'
import type { SqlConnector, SqlOutcome } from '../parts.ts'
import { nullableText, textColumn } from '../rows.ts'
import type { ServerVersion } from '../version.ts'
import type { PrimaryHorizons } from './readiness.ts'
import type { WantedSlot } from './wanted.ts'

export interface LeaderQuestionDependencies {
  readonly config: () => Config
  readonly connector: SqlConnector
  readonly clock: Clock
  readonly log: Log
}

/** A slot as it lies on the primary's disk. */
export interface SlotCopy {
  readonly name: string
  readonly state: Uint8Array
}

const ANSWER_LIMIT_MS = 3000
const OPTIONS = '-c statement_timeout=2000 -c search_path=pg_catalog'

async function askLeader(
  deps: LeaderQuestionDependencies,
  leader: Member,
  version: ServerVersion,
  sql: string,
  parameters: readonly unknown[],
  signal: AbortSignal,
): Promise<SqlOutcome> {
  const config = deps.config()
  const keywords = upstreamKeywords({ kind: 'member', member: leader }, rewindUser(config, version), config)
  if (!keywords) return { kind: 'unreachable', reason: `${leader.name} has no address` }
  const connection = deps.connector.connection({ connect_timeout: '3', ...keywords, options: OPTIONS })
  try {
    return await connection.query(sql, parameters, { deadline: later(deps.clock.now(), ANSWER_LIMIT_MS), signal })
  } finally {
    connection.close()
  }
}

/** Reads slots from the primary, as far as they are what the configuration says (spec postgres.md 7.6 step 1). */
export async function readSlots(
  deps: LeaderQuestionDependencies,
  leader: Member,
  wanted: readonly Extract<WantedSlot, { kind: 'logical' }>[],
  version: ServerVersion,
  signal: AbortSignal,
): Promise<readonly SlotCopy[]> {
  const outcome = await askLeader(
    deps,
    leader,
    version,
    `SELECT slot_name::text AS name, database::text AS database, plugin::text AS plugin,
pg_catalog.pg_read_binary_file('pg_replslot/' || slot_name || '/state') AS state
FROM pg_catalog.pg_replication_slots
WHERE NOT pg_catalog.pg_is_in_recovery() AND slot_type = 'logical' AND slot_name = ANY($1)${version >= 170000 ? ' AND NOT failover' : ''}`,
    [wanted.map((slot) => slot.name)],
    signal,
  )
  if (outcome.kind !== 'rows') {
    deps.log.error(
      `Failed to copy logical slots from the ${leader.name}: ${outcome.kind === 'error' ? outcome.message : outcome.reason}`,
    )
    return []
  }
  return outcome.rows.flatMap((row): SlotCopy[] => {
    const name = textColumn(row, 'name')
    const want = wanted.find((slot) => slot.name === name)
    const { state } = row
    if (want?.database === row['database'] && want?.plugin === row['plugin'] && state instanceof Uint8Array)
      return [{ name, state }]
    deps.log.warning(`Will not copy the logical slot ${name}: its database or plugin is another one than configured`)
    return []
  })
}

/** Puts copies in place while the server is down; each slot is whole or not there (spec postgres.md 7.6 step 2). */
export async function writeSlots(dataDir: string, slots: readonly SlotCopy[]): Promise<void> {
  const modes = await dataDirectoryModes(dataDir)
  const all = join(dataDir, 'pg_replslot')
  for (const { name, state } of slots) {
    const making = join(all, `${name}.tmp`)
    const place = join(all, name)
    await rm(making, { recursive: true, force: true })
    await mkdir(making, { mode: modes.directory })
    await chmod(making, modes.directory)
    await writeFile(join(making, 'state'), state, { mode: modes.file, flush: true })
    await syncDirectory(making)
    await rm(place, { recursive: true, force: true })
    await rename(making, place)
    await syncDirectory(all)
  }
}

/** How far back the primary keeps catalogue rows for us and for its own logical slots; `null`: it cannot be asked now. */
export async function readHorizons(
  deps: LeaderQuestionDependencies,
  leader: Member,
  physicalName: string,
  logicalNames: readonly string[],
  version: ServerVersion,
  signal: AbortSignal,
): Promise<PrimaryHorizons | null> {
  const outcome = await askLeader(
    deps,
    leader,
    version,
    `SELECT slot_name::text AS name, slot_type AS type, catalog_xmin::text AS catalog_xmin, pg_catalog.pg_is_in_recovery() AS recovering
FROM pg_catalog.pg_get_replication_slots() WHERE slot_name = ANY($1)`,
    [[physicalName, ...logicalNames]],
    signal,
  )
  if (outcome.kind !== 'rows' || outcome.rows.some((row) => row['recovering'] === true)) return null
  const held = outcome.rows.find((row) => row['name'] === physicalName)
  const logical = outcome.rows.filter((row) => row['type'] === 'logical')
  return {
    physical: held ? { catalogXmin: nullableText(held, 'catalog_xmin') } : null,
    logical: new Map(logical.map((row) => [textColumn(row, 'name'), nullableText(row, 'catalog_xmin')])),
  }
}
