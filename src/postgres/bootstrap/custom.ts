import type { JsonObject } from '../../cluster/json.ts'
import { isObject } from '../../cluster/json.ts'
import { isTruthy, textForm } from '../../cluster/values.ts'
import type { Config } from '../../config/types.ts'
import type { CustomBootstrap } from '../configuration/main-file.ts'
import { parametersFrom } from '../configuration/parameters.ts'

/** Keys of the section that are not handed to the command. */
const NOT_PASSED: readonly string[] = [
  'command',
  'no_params',
  'keep_existing_recovery_conf',
  'recovery_conf',
  'scope',
  'datadir',
]

/** The custom method, if one is configured in full; else initdb makes the cluster (spec postgres.md 4). */
export function customMethod(config: Config): JsonObject | null {
  const { bootstrap } = config
  return bootstrap && bootstrap.method !== 'initdb' && bootstrap.custom && isTruthy(bootstrap.custom['command'])
    ? bootstrap.custom
    : null
}

export function customBootstrapOf(method: JsonObject): CustomBootstrap {
  const recovery = method['recovery_conf']
  return {
    keepExistingRecoveryConf: isTruthy(method['keep_existing_recovery_conf']),
    recoveryConf: isObject(recovery) && isTruthy(recovery) ? parametersFrom(recovery) : null,
  }
}

/** Arguments after the words of the command (spec postgres.md 4.2). */
export function customArguments(method: JsonObject, config: Config): string[] {
  const automatic = isTruthy(method['no_params'])
    ? []
    : [`--scope=${config.scope}`, `--datadir=${config.postgresql.dataDir}`]
  const own = Object.entries(method).filter(([key]) => !NOT_PASSED.includes(key))
  return [...automatic, ...own.map(([key, value]) => `--${key}=${textForm(value)}`)]
}
