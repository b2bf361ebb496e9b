import { slotName } from '../../cluster/slot-name.ts'
import { isTruthy, parseBool } from '../../cluster/values.ts'
import type { Config } from '../../config/types.ts'
import type { Upstream } from '../../ports/postgres.ts'
import { printConninfo } from '../conninfo.ts'
import { upstreamAddress, userKeywords } from '../credentials.ts'
import type { ConnectionKeywords } from '../parts.ts'
import { majorOf, type ServerVersion } from '../version.ts'
import { type Parameters, valueOf, withParameters } from './parameters.ts'
import { isChosenBySource } from './recovery-names.ts'

/** How a server recovers and whom it follows (spec postgres.md 2.8). */
export interface RecoverySettings {
  /** Without primary_conninfo. */
  readonly values: Parameters
  /** The password stays in here; what is written names the password file. */
  readonly primaryConninfo: ConnectionKeywords | null
}

export interface FollowInput {
  readonly config: Config
  /** With those from among the parameters. */
  readonly recoveryConf: Parameters
  readonly version: ServerVersion
  readonly useSlots: boolean
}

/** Settings with which a standby follows `upstream`; without one: recovery from the archive alone. */
export function followSettings(upstream: Upstream | null, input: FollowInput): RecoverySettings {
  const { version } = input
  const major = majorOf(version)
  const base = new Map([...input.recoveryConf].filter(([name]) => !isChosenBySource(name)))
  let values = withParameters(base, { standby_mode: 'on', recovery_target_timeline: 'latest', ...noTarget(major) })
  const slot = slotOf(upstream, input)
  const primaryConninfo = primaryConninfoFor(upstream, input, slot !== null)
  if (primaryConninfo && slot !== null) values = withParameters(values, { primary_slot_name: slot })
  return { values: withParameters(values, sourceCommands(upstream)), primaryConninfo }
}

/** From 12 on a target in an included file would stop the standby: empty values take its place. */
function noTarget(major: ServerVersion): Record<string, string> {
  if (major < 120000) return {}
  return Object.fromEntries(['', '_name', '_time', '_xid', '_lsn'].map((what) => [`recovery_target${what}`, '']))
}

function slotOf(upstream: Upstream | null, { config, version, useSlots }: FollowInput): string | null {
  if (!upstream || !useSlots || version < 90400) return null
  if (upstream.kind === 'member') return slotName(config.name)
  const { primarySlotName } = upstream.standbyCluster
  return primarySlotName ? slotName(primarySlotName) : null
}

function sourceCommands(upstream: Upstream | null): Record<string, string> {
  const given =
    upstream?.kind === 'remote'
      ? {
          restore_command: upstream.standbyCluster.restoreCommand,
          archive_cleanup_command: upstream.standbyCluster.archiveCleanupCommand,
          recovery_min_apply_delay: upstream.standbyCluster.recoveryMinApplyDelay,
        }
      : { restore_command: upstream?.restoreCommand, archive_cleanup_command: upstream?.archiveCleanupCommand }
  return Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, string] => isTruthy(entry[1] ?? '')),
  )
}

function primaryConninfoFor(
  upstream: Upstream | null,
  { config, version }: FollowInput,
  hasSlot: boolean,
): ConnectionKeywords | null {
  const { postgresql } = config
  const address = upstreamAddress(upstream, config.name, postgresql.database)
  if (!address) return null
  const major = majorOf(version)
  const isList = upstream?.kind === 'remote' && address.host.includes(',')
  return {
    ...preferred(major),
    ...userKeywords(postgresql.replication),
    ...address,
    application_name: config.name,
    ...(postgresql.krbsrvname ? { krbsrvname: postgresql.krbsrvname } : {}),
    ...(isList && hasSlot && major >= 100000 ? { target_session_attrs: 'read-write' } : {}),
  }
}

/** libpq's own defaults, written out so that an environment variable of the server does not change them (spec postgres.md 2.9). */
export function preferred(major: ServerVersion): Record<string, string> {
  return {
    sslmode: 'prefer',
    ...(major >= 120000 ? { gssencmode: 'prefer' } : {}),
    ...(major >= 130000 ? { channel_binding: 'prefer' } : {}),
    ...(major >= 170000 ? { sslnegotiation: 'postgres' } : {}),
  }
}

/**
 * The settings as the server of this version is to read them: primary_conninfo as text, the end of a recovery target
 * under the name the version knows, `standby_mode` left out where a signal file says it.
 */
export function writtenSettings(settings: RecoverySettings, version: ServerVersion, passfile: string): Parameters {
  const major = majorOf(version)
  const { primaryConninfo } = settings
  const hidden = primaryConninfo?.['password'] !== undefined && major >= 100000
  const conninfo = primaryConninfo && printConninfo({ ...primaryConninfo, ...(hidden ? { passfile } : {}) }, major)
  const written = conninfo === null ? settings.values : withParameters(settings.values, { primary_conninfo: conninfo })
  const translated = withParameters(written, targetAction(settings.values, version))
  return major >= 120000 ? withParameters(translated, { standby_mode: null }) : translated
}

function targetAction(values: Parameters, version: ServerVersion): Record<string, string | null> {
  const action = valueOf(values, 'recovery_target_action')
  const pause = parseBool(valueOf(values, 'pause_at_recovery_target') ?? null)
  if (version >= 90500) {
    const meant = pause === undefined ? null : pause ? 'pause' : 'promote'
    return { pause_at_recovery_target: null, recovery_target_action: action ?? meant }
  }
  return {
    recovery_target_action: null,
    ...(action?.toLowerCase() === 'promote' ? { pause_at_recovery_target: 'false' } : {}),
  }
}

export function isStandby(settings: RecoverySettings): boolean {
  return parseBool(valueOf(settings.values, 'standby_mode') ?? null) ?? false
}
