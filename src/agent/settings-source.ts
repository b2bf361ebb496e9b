import type { JsonObject } from '../cluster/json.ts'
import type { Timing } from '../cluster/settings.ts'
import { loadConfiguration } from '../config/configuration.ts'
import { effectiveConfig } from '../config/effective.ts'
import type { Environment } from '../config/environment.ts'
import { type LocalConfiguration, printProblem } from '../config/local.ts'
import { sameDocument } from '../config/merge.ts'
import type { Config, Problem } from '../config/types.ts'
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
  readonly minimumTiming: Timing

  constructor(config: Config, local: LocalConfiguration, origin: ConfigOrigin, minimumTiming: Timing, log: Log) {
    this.config = config
    this.#local = local
    this.#dynamic = config.dynamic
    this.#origin = origin
    this.minimumTiming = minimumTiming
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
    if (sameDocument(loaded.local.document, this.#local.document)) {
      this.#log.info('No local configuration items changed.')
      return false
    }
    return this.#rebuild(loaded.local)
  }

  #rebuild(local: LocalConfiguration): boolean {
    const outcome = effectiveConfig({
      local,
      dynamic: this.#dynamic,
      previous: this.config,
      place: place(),
      minimumTiming: this.minimumTiming,
    })
    if (outcome.kind === 'broken') {
      for (const problem of outcome.problems) this.#log.error(printProblem(problem))
      return false
    }
    if (outcome.rejected !== null) this.#log.error(`Exception when setting dynamic_configuration: ${outcome.rejected}`)
    tellProblems(this.#log, outcome.warnings)
    this.#local = local
    this.config = outcome.config
    return true
  }
}

export function place(): { readonly cwd: string; readonly home: string } {
  return { cwd: process.cwd(), home: process.env['HOME'] ?? '/' }
}

/** Tells what was found odd, each as loud as it matters: `error` means that something configured will not be done. */
export function tellProblems(log: Log, problems: readonly Problem[]): void {
  for (const problem of problems) log[problem.severity](printProblem(problem))
}
