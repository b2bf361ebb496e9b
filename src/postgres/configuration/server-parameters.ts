import { isAbsolute, join } from 'node:path'
import { splitHostPort } from '../../cluster/host-port.ts'
import type { Role } from '../../cluster/instance.ts'
import { roleClass } from '../../cluster/instance.ts'
import type { JsonObject } from '../../cluster/json.ts'
import { type ClusterSettings, syncMode } from '../../cluster/settings.ts'
import { STRICT_PLACEHOLDER } from '../../cluster/standby-names.ts'
import { parseBool, parseInteger } from '../../cluster/values.ts'
import { COMMAND_LINE_PARAMETERS, DEFAULT_PARAMETERS, unknownEnforced } from '../../config/enforced-parameters.ts'
import type { Config } from '../../config/types.ts'
import { majorOf, type ServerVersion } from '../version.ts'
import { CONTROL_FILE_MINIMA } from './control-file-minima.ts'
import { type Parameters, parametersFrom, valueOf, withParameters } from './parameters.ts'
import { isRecoverySetting, triggerFileName } from './recovery-names.ts'

/**
 * Text of synchronous_standby_names that the agent maintains. `undefined`: it has none yet; `null`: it decided on none.
 * Kept apart from the user's value, which only counts without synchronous mode.
 */
export type ManagedSyncNames = string | null | undefined

export interface ParametersInput {
  /** With the overlay for the role. */
  readonly config: Config
  readonly settings: ClusterSettings
  readonly role: Role
  /** Version to write for; 0: unknown, then everything is kept. */
  readonly version: ServerVersion
  readonly syncNames: ManagedSyncNames
}

export interface ServerParameters {
  /** What the server is to run with, recovery settings apart. */
  readonly parameters: Parameters
  /** `postgresql.recovery_conf` with the recovery settings that stood among the parameters. */
  readonly recoveryConf: Parameters
}

/** From the merged configuration to what this server of this version should run with (spec postgres.md 2.2). */
export function serverParameters(input: ParametersInput): ServerParameters {
  const { config, version } = input
  const major = majorOf(version)
  const configured = withDefaults(parametersFrom(config.postgresql.parameters))
  let parameters = withParameters(configured, { ...derived(config), ...syncNames(configured, input) })
  parameters = withParameters(parameters, walLevel(parameters, major))
  parameters = withParameters(parameters, walKeep(parameters, major))
  if (major > 0) for (const name of unknownEnforced(major)) parameters.delete(name)
  parameters = withParameters(parameters, accessFiles(parameters, config.postgresql.configDir))
  const plain = [...parameters].filter(([name]) => !isRecoverySetting(name))
  const recovery = [...parameters].filter(([name]) => isRecoverySetting(name))
  // The compatible rule is "they replace the section"; merging loses nobody's setting, and these still win.
  const recoveryConf = new Map([...parametersFrom(config.postgresql.recoveryConf), ...recovery])
  return { parameters: new Map(plain), recoveryConf: withTriggerFile(recoveryConf, major) }
}

/** wal_keep_* are not among the defaults: one is computed from the other. */
function withDefaults(parameters: Parameters): Parameters {
  return new Map([...parametersFrom(DEFAULT_PARAMETERS), ...parameters])
}

function derived(config: Config): Record<string, string> {
  const { host, port } = splitHostPort(config.postgresql.listen, 5432)
  return { cluster_name: config.scope, listen_addresses: host, port: port ?? '5432' }
}

function syncNames(configured: Parameters, input: ParametersInput): Record<string, string | null> {
  const { settings, role, syncNames: managed } = input
  const isPrimary = roleClass(role) === 'primary'
  if (syncMode(settings) === 'off') {
    // Until the loop has closed the synchronous chapter, a primary keeps waiting for its standbys.
    const kept = isPrimary && managed ? managed : (valueOf(configured, 'synchronous_standby_names') ?? null)
    return { synchronous_standby_names: kept }
  }
  const strict = settings.synchronousModeStrict && isPrimary ? STRICT_PLACEHOLDER : null
  return { synchronous_standby_names: managed === undefined ? strict : managed }
}

function walLevel(parameters: Parameters, major: ServerVersion): Record<string, string> {
  const level = valueOf(parameters, 'wal_level')?.toLowerCase()
  if (level === 'hot_standby' && major >= 90600) return { wal_level: 'replica' }
  if (level === 'replica' && major > 0 && major < 90600) return { wal_level: 'hot_standby' }
  return {}
}

function walKeep(parameters: Parameters, major: ServerVersion): Record<string, string | null> {
  const size = valueOf(parameters, 'wal_keep_size')
  const segments = valueOf(parameters, 'wal_keep_segments')
  if (major >= 130000)
    return {
      wal_keep_segments: null,
      wal_keep_size: size ?? `${(parseInteger(segments ?? '8') ?? 8) * 16}MB`,
    }
  if (major > 0) {
    const megabytes = parseInteger(size ?? '128MB', 'MB') ?? 128
    return { wal_keep_size: null, wal_keep_segments: segments ?? String(Math.trunc((megabytes + 8) / 16)) }
  }
  return {}
}

function accessFiles(parameters: Parameters, configDir: string): Record<string, string> {
  const changes: Record<string, string> = {}
  for (const name of ['hba_file', 'ident_file']) {
    const path = valueOf(parameters, name)
    if (path && !isAbsolute(path)) changes[name] = join(configDir, path)
  }
  return changes
}

/** One spelling of the trigger file becomes the other; the one that is right for the version wins. */
function withTriggerFile(recovery: Parameters, major: ServerVersion): Parameters {
  if (major === 0) return recovery
  const right = triggerFileName(major)
  const wrong = right === 'trigger_file' ? 'promote_trigger_file' : 'trigger_file'
  const value = valueOf(recovery, right) ?? valueOf(recovery, wrong) ?? null
  return withParameters(recovery, { [wrong]: null, [right]: value })
}

export type PendingRestart = Readonly<Record<string, { readonly old_value: string; readonly new_value: string }>>

export interface RaisedParameters {
  readonly parameters: Parameters
  readonly pendingRestart: PendingRestart
  readonly messages: readonly { readonly level: 'info' | 'warning'; readonly text: string }[]
}

/**
 * What a standby must start with: the control file remembers what the primary ran with, and a hot standby with less
 * would refuse to start (spec postgres.md 2.2).
 * @param items of pg_controldata
 */
export function raisedForStandby(
  parameters: Parameters,
  items: JsonObject | Readonly<Record<string, string>>,
  version: ServerVersion,
): RaisedParameters {
  const raised: Record<string, string> = {}
  const pendingRestart: Record<string, { old_value: string; new_value: string }> = {}
  const messages: RaisedParameters['messages'][number][] = []
  for (const { name, item, since } of CONTROL_FILE_MINIMA) {
    if (version < since) continue
    const controlled = parseInteger(items[item])
    const wanted = parseInteger(valueOf(parameters, name))
    if (controlled === undefined) {
      messages.push({ level: 'warning', text: `${item} is missing from pg_controldata output` })
    } else if (wanted === undefined || controlled > wanted) {
      const shown = valueOf(parameters, name) ?? ''
      raised[name] = String(controlled)
      pendingRestart[name] = { old_value: String(controlled), new_value: shown }
      messages.push({
        level: 'info',
        text:
          `${name} value in pg_controldata: ${controlled}, in the global configuration: ${shown}. ` +
          "pg_controldata value will be used. Setting 'Pending restart' flag",
      })
    }
  }
  return { parameters: withParameters(parameters, raised), pendingRestart, messages }
}

/**
 * Whether a restored cluster must recover without serving queries: replay may meet a raised parameter that a hot
 * standby refuses, and nobody would be there to restart it (spec postgres.md 2.2).
 */
export function needsColdRecovery(
  custom: { readonly keepExistingRecoveryConf: boolean; readonly recoveryConf: Parameters | null },
  version: ServerVersion,
): boolean {
  if (custom.keepExistingRecoveryConf) return true
  const recovery = custom.recoveryConf
  if (!recovery || version < 90500) return false
  const action = valueOf(recovery, 'recovery_target_action')
  if (action !== undefined) return action.toLowerCase() === 'promote'
  return parseBool(valueOf(recovery, 'pause_at_recovery_target')) === false
}

/** `--name=value` for the postmaster, in the order of the table (spec postgres.md 1.5 step 6). These beat ALTER SYSTEM. */
export function commandLineOptions(parameters: Parameters): string[] {
  return COMMAND_LINE_PARAMETERS.flatMap((name) => {
    const value = valueOf(parameters, name)
    return value === undefined ? [] : [`--${name}=${value}`]
  })
}
