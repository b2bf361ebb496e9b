import type { JsonObject } from '../cluster/json.ts'
import { loadConfiguration } from '../config/configuration.ts'
import { effectiveConfig } from '../config/effective.ts'
import type { Environment } from '../config/environment.ts'
import { type LocalConfiguration, printProblem } from '../config/local.ts'
import type { Config } from '../config/types.ts'
import type { Log } from '../ports/log.ts'

/** Where the configuration came from at start, so that a reload reads the same places again. */
export interface ConfigOrigin {
  readonly path: string | null
  readonly environment: Environment
}

/**
 * The configuration in force: the local one as last read, under the dynamic one as last seen. A change that cannot be
 * used leaves everything as it is and says why.
 */
export class SettingsSource {
  config: Config
  #local: LocalConfiguration
  #dynamic: JsonObject
  readonly #origin: ConfigOrigin
  readonly #log: Log

  constructor(config: Config, local: LocalConfiguration, dynamic: JsonObject, origin: ConfigOrigin, log: Log) {
    this.config = config
    this.#local = local
    this.#dynamic = dynamic
    this.#origin = origin
    this.#log = log
  }

  /** The store has another dynamic configuration. @returns whether anything is different now */
  changeDynamic(dynamic: JsonObject): boolean {
    this.#dynamic = dynamic
    return this.#rebuild(this.#local)
  }

  /** Reads the local configuration again (SIGHUP). @returns whether it could be used and differs */
  async reloadLocal(): Promise<boolean> {
    if (this.#origin.path === null) return false
    const loaded = await loadConfiguration({ path: this.#origin.path, env: this.#origin.environment })
    if (loaded.kind === 'broken') {
      for (const problem of loaded.problems) this.#log.error(printProblem(problem))
      this.#log.error(`Exception when reloading local configuration from ${this.#origin.path}`)
      return false
    }
    if (JSON.stringify(loaded.local.document) === JSON.stringify(this.#local.document)) {
      this.#log.info('No local configuration items changed.')
      return false
    }
    return this.#rebuild(loaded.local)
  }

  #rebuild(local: LocalConfiguration): boolean {
    const outcome = effectiveConfig({ local, dynamic: this.#dynamic, previous: this.config, place: place() })
    if (outcome.kind === 'broken') {
      for (const problem of outcome.problems) this.#log.error(printProblem(problem))
      return false
    }
    if (outcome.rejected !== null) this.#log.error(`Exception when setting dynamic_configuration: ${outcome.rejected}`)
    for (const warning of outcome.warnings) this.#log.warning(printProblem(warning))
    this.#local = local
    this.config = outcome.config
    return true
  }
}

export function place(): { readonly cwd: string; readonly home: string } {
  return { cwd: process.cwd(), home: process.env['HOME'] ?? '/' }
}
