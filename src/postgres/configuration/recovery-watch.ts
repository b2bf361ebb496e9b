import { later } from '../../cluster/time.ts'
import type { Config } from '../../config/types.ts'
import type { Clock } from '../../ports/clock.ts'
import { modifiedAtMs, readText } from '../files.ts'
import type { Server } from '../parts.ts'
import { nullableText, textColumn } from '../rows.ts'
import { majorOf, type ServerVersion } from '../version.ts'
import { parseRecoveryFile } from './layout.ts'
import { autoConfPath, mainFilePath } from './main-file.ts'
import { type Parameters, valueOf } from './parameters.ts'
import {
  type CurrentRecovery,
  type CurrentSetting,
  comparedNames,
  needsRestartByVersion,
} from './recovery-comparison.ts'
import { recoveryFilePath } from './recovery-files.ts'

/**
 * What the running standby recovers with. Reading costs a query, so it is asked anew only when a file that can change
 * the answer, or the server itself, is another one than before (spec postgres.md 2.10 step 2).
 */
export interface RecoveryWatch {
  /** Which postmaster runs; `null`: none. */
  server(): string | null
  /** `restart`: there are settings that cannot be understood; `unknown`: the server cannot be asked now. */
  current(config: Config, version: ServerVersion, signal: AbortSignal): Promise<CurrentRecovery | 'restart' | 'unknown'>
  /** We have just written these: the running server, once reloaded, has them. */
  wrote(settings: Parameters, config: Config, version: ServerVersion): Promise<void>
}

/** Everything whose change makes the last answer worthless. */
interface Fingerprint {
  readonly files: string
  readonly server: string | null
}

export function createRecoveryWatch(server: () => Server, clock: Clock, passfile: () => string): RecoveryWatch {
  let last: { readonly fingerprint: Fingerprint; readonly settings: CurrentRecovery } | undefined

  async function fingerprint(config: Config, version: ServerVersion): Promise<Fingerprint> {
    const { dataDir } = config.postgresql
    const paths =
      majorOf(version) >= 120000
        ? [mainFilePath(config), autoConfPath(config), passfile()]
        : [recoveryFilePath(dataDir), passfile()]
    const times = await Promise.all(paths.map(modifiedAtMs))
    return { files: times.join(), server: server().postmasterIdentity() }
  }

  async function ask(config: Config, version: ServerVersion, signal: AbortSignal): Promise<CurrentRecovery | null> {
    const names = comparedNames(version)
    const outcome = await server().sql.query(
      'SELECT name, setting, context, sourcefile FROM pg_catalog.pg_settings WHERE pg_catalog.lower(name) = ANY($1)',
      [names],
      { deadline: later(clock.now(), 2000), signal },
    )
    if (outcome.kind !== 'rows') return null
    const ours = new Set([mainFilePath(config), autoConfPath(config)])
    return new Map(
      outcome.rows.map((row): [string, CurrentSetting] => {
        const file = nullableText(row, 'sourcefile')
        const value = textColumn(row, 'setting')
        const needsRestart = row['context'] === 'postmaster'
        return [textColumn(row, 'name'), { value, needsRestart, isForeign: file !== null && !ours.has(file) }]
      }),
    )
  }

  async function readFile(config: Config, version: ServerVersion): Promise<CurrentRecovery | null> {
    const text = await readText(recoveryFilePath(config.postgresql.dataDir))
    const settings = text === null ? null : parseRecoveryFile(text)
    if (!settings) return null
    const known = (name: string): CurrentSetting => ({
      value: settings.get(name) ?? '',
      needsRestart: true,
      isForeign: false,
    })
    return new Map(comparedNames(version).map((name) => [name, known(name)]))
  }

  return {
    server: () => server().postmasterIdentity(),

    async current(config, version, signal) {
      const now = await fingerprint(config, version)
      if (last && last.fingerprint.files === now.files && last.fingerprint.server === now.server) return last.settings
      const inFile = majorOf(version) < 120000
      const settings = await (inFile ? readFile(config, version) : ask(config, version, signal))
      if (!settings) return inFile ? 'restart' : 'unknown'
      last = { fingerprint: now, settings }
      return settings
    },

    async wrote(written, config, version) {
      const settings = comparedNames(version).map((name): [string, CurrentSetting] => [
        name,
        {
          value: valueOf(written, name) ?? '',
          needsRestart: needsRestartByVersion(name, version),
          isForeign: false,
        },
      ])
      last = { fingerprint: await fingerprint(config, version), settings: new Map(settings) }
    },
  }
}
