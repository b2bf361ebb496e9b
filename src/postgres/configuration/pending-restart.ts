import { later } from '../../cluster/time.ts'
import type { Config } from '../../config/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Binaries, CommandRunner, SqlConnection, SqlRow } from '../parts.ts'
import { nullableText, textColumn } from '../rows.ts'
import { configuredValue } from './configured-value.ts'
import { RECOVERY_NAMES } from './recovery-names.ts'
import type { PendingRestart } from './server-parameters.ts'
import { humanForm } from './setting-values.ts'

const LOADED = 'SELECT pg_catalog.pg_conf_load_time()::text AS loaded'
const LOAD_LIMIT_MS = 1000
const LOAD_POLL_MS = 20

const PENDING = `SELECT name, pg_catalog.current_setting(name) AS current, unit, vartype
FROM pg_catalog.pg_settings WHERE pending_restart AND NOT name = ANY($1) ORDER BY name`

export interface PendingRestartQuestions {
  /** Marks the moment before a reload. */
  configurationLoadedAt(signal: AbortSignal): Promise<string | null>
  /** Resolves once our own session has read the files anew: what it then says about itself is true. At most a second. */
  waitForLoad(before: string | null, signal: AbortSignal): Promise<void>
  /** What waits for a restart by the server's own word (9.5+); `null` where it cannot be asked. */
  ask(config: Config, signal: AbortSignal): Promise<PendingRestart | null>
}

export function createPendingRestartQuestions(
  sql: () => SqlConnection,
  runner: CommandRunner,
  binaries: Binaries,
  clock: Clock,
): PendingRestartQuestions {
  const rows = async (
    query: string,
    parameters: readonly unknown[],
    signal: AbortSignal,
  ): Promise<readonly SqlRow[] | null> => {
    const outcome = await sql().query(query, parameters, { deadline: later(clock.now(), 2000), signal })
    return outcome.kind === 'rows' ? outcome.rows : null
  }

  async function configurationLoadedAt(signal: AbortSignal): Promise<string | null> {
    const [row] = (await rows(LOADED, [], signal)) ?? []
    return row ? nullableText(row, 'loaded') : null
  }

  async function newValue(name: string, row: SqlRow, config: Config, signal: AbortSignal): Promise<string> {
    const value = await configuredValue(name, config, runner, binaries, signal)
    return value === null ? '?' : humanForm(textColumn(row, 'vartype'), nullableText(row, 'unit'), value)
  }

  return {
    configurationLoadedAt,

    async waitForLoad(before, signal) {
      const deadline = later(clock.now(), LOAD_LIMIT_MS)
      while (clock.now() < deadline && !signal.aborted) {
        const loaded = await configurationLoadedAt(signal)
        if (loaded === null || loaded !== before) return
        await clock.sleep(LOAD_POLL_MS, signal)
      }
    },

    async ask(config, signal) {
      const found = await rows(PENDING, [[...RECOVERY_NAMES, 'hot_standby']], signal)
      if (!found) return null
      const reasons: Record<string, { old_value: string; new_value: string }> = {}
      for (const row of found) {
        const name = textColumn(row, 'name')
        const value = await newValue(name, row, config, signal)
        reasons[name] = { old_value: textColumn(row, 'current'), new_value: value }
      }
      return reasons
    },
  }
}
