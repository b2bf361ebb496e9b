import type { JsonObject } from '../../cluster/json.ts'
import type { ClusterSettings } from '../../cluster/settings.ts'
import { isTruthy, textForm } from '../../cluster/values.ts'
import type { Config } from '../../config/types.ts'
import type { CloneRequest } from '../../ports/postgres.ts'

/** Names of the replica methods to try, in order (spec postgres.md 5.2). A remote source brings its own. */
export function methodNames(config: Config, { basebackupOnly, methods, source }: CloneRequest): readonly string[] {
  if (basebackupOnly) return ['basebackup']
  if (methods) return methods
  const names =
    source?.kind === 'remote' ? source.standbyCluster.createReplicaMethods : config.postgresql.createReplicaMethods
  return names.length > 0 ? names : ['basebackup']
}

export function methodSection(config: Config, name: string): JsonObject {
  return config.postgresql.methodSections[name] ?? {}
}

/** Whether a method can make a replica although nobody can be asked for data. */
export function needsNoSource(config: Config, name: string): boolean {
  return name !== 'basebackup' && isTruthy(methodSection(config, name)['no_leader'])
}

export function canCloneWithoutSource(config: Config, settings: ClusterSettings): boolean {
  const standby = settings.standbyCluster
  const names = standby ? standby.createReplicaMethods : config.postgresql.createReplicaMethods
  return names.some((name) => needsNoSource(config, name))
}

export function keepsData(section: JsonObject): boolean {
  return isTruthy(section['keep_data'])
}

/** Arguments after the words of the command (spec postgres.md 5.2, configuration.md 3.7). */
export function methodArguments(section: JsonObject, config: Config, conninfo: string): string[] {
  const { command: _command, ...options } = section
  const automatic = {
    scope: config.scope,
    role: 'replica',
    datadir: config.postgresql.dataDir,
    connstring: conninfo,
  }
  const { no_params, no_leader: _leader, keep_data: _keep, ...bare } = options
  const passed = isTruthy(no_params) ? bare : { ...options, ...automatic }
  return Object.entries(passed).map(([key, value]) => `--${key}=${textForm(value)}`)
}
