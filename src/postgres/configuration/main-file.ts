import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../config/types.ts'
import type { Log } from '../../ports/log.ts'
import { errorText, exists, fileModeFor, readText, replaceFile, updateFile } from '../files.ts'
import { majorOf, type ServerVersion } from '../version.ts'
import type { BinaryFacts } from './binary-facts.ts'
import { HEADER, printMainFile, withoutRecoverySettings } from './layout.ts'
import { areAllKnown, checkRecoverySettings, checkServerParameters } from './parameter-rules.ts'
import { type Parameters, valueOf, withParameters } from './parameters.ts'
import { isRecoverySetting } from './recovery-names.ts'

/** A custom bootstrap that is under way: access and recovery are provisional (spec postgres.md 4.2, 4.3). */
export interface CustomBootstrap {
  readonly keepExistingRecoveryConf: boolean
  readonly recoveryConf: Parameters | null
}

export interface MainFileContent {
  readonly config: Config
  readonly parameters: Parameters
  /** As `writtenSettings` gives them; `null`: none are remembered. */
  readonly recovery: Parameters | null
  /** Exact where it is known. */
  readonly version: ServerVersion
  readonly feedbackForced: boolean
  readonly customBootstrap: CustomBootstrap | null
  readonly originalUmask: number
}

export function mainFilePath(config: Config): string {
  return join(config.postgresql.configDir, `${config.postgresql.configBaseName}.conf`)
}

export function autoConfPath(config: Config): string {
  return join(config.postgresql.dataDir, 'postgresql.auto.conf')
}

/**
 * Writes postgresql.conf as a whole (spec postgres.md 2.4), moves the original out of the way the first time, and takes
 * recovery settings out of postgresql.auto.conf.
 */
export async function writeMainFile(
  content: MainFileContent,
  binary: BinaryFacts,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { config, version, customBootstrap } = content
  const { postgresql } = config
  const parameters = fileParameters(content)
  const recovery = majorOf(version) >= 120000 && content.recovery ? content.recovery : null
  const allKnown = areAllKnown(new Map([...parameters, ...(recovery ?? [])]), version)
  const available = allKnown ? null : await binary.parameterNames(signal)
  const checked = checkServerParameters(parameters, version, available)
  const checkedRecovery = recovery && checkRecoverySettings(recovery, version, available)
  for (const warning of [...checked.warnings, ...(checkedRecovery?.warnings ?? [])]) log.warning(warning)

  const path = mainFilePath(config)
  const mode = await fileModeFor(path, postgresql.dataDir, content.originalUmask)
  if (postgresql.customConf === null) await keepOriginal(config, mode)
  const ownFile = (name: string, file: string): string | null =>
    valueOf(parameters, name) === undefined ? join(postgresql.configDir, file) : null
  const text = printMainFile({
    include: postgresql.customConf ?? `${postgresql.configBaseName}.base.conf`,
    parameters: checked.parameters,
    hbaFile: ownFile('hba_file', 'pg_hba.conf'),
    identFile: ownFile('ident_file', 'pg_ident.conf'),
    recovery: checkedRecovery?.parameters ?? null,
  })
  await updateFile(path, text, mode)
  if (majorOf(version) >= 120000 && !customBootstrap?.keepExistingRecoveryConf) await cleanAutoConf(config, log)
}

function fileParameters(content: MainFileContent): Parameters {
  const { parameters, feedbackForced, customBootstrap } = content
  return withParameters(parameters, {
    ...(feedbackForced ? { hot_standby_feedback: 'on' } : {}),
    // the temporary rules must be the ones that count, wherever the user's are
    ...(customBootstrap ? { hba_file: null } : {}),
  })
}

/**
 * The file that was there before us becomes the included one. Where a copy brought our generated file but not the
 * original, renaming it would make a file that includes itself; an empty original is right then.
 */
async function keepOriginal(config: Config, mode: number): Promise<void> {
  const { configDir, configBaseName } = config.postgresql
  const base = join(configDir, `${configBaseName}.base.conf`)
  if (await exists(base)) return
  const text = await readText(mainFilePath(config))
  if (text === null) return
  if (text.startsWith(HEADER) && text.includes(`include '${configBaseName}.base.conf'`))
    await replaceFile(base, '', mode)
  else await rename(mainFilePath(config), base)
}

/** ALTER SYSTEM beats our file: a forgotten primary_conninfo there would make a standby follow a dead server (spec postgres.md 2.12). */
async function cleanAutoConf(config: Config, log: Log): Promise<void> {
  const path = autoConfPath(config)
  try {
    const cleaned = withoutRecoverySettings(await readFile(path, 'utf8'), isRecoverySetting)
    if (cleaned === null) return
    await replaceFile(path, cleaned, await fileModeFor(path, config.postgresql.dataDir, 0o077))
  } catch (error) {
    if (await exists(path)) log.error(`Failed to remove recovery settings from ${path}: ${errorText(error)}`)
  }
}
