import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { dataDirectoryModes, exists, replaceFile, updateFile } from '../files.ts'
import type { PasswordFile } from '../parts.ts'
import { majorOf, type ServerVersion } from '../version.ts'
import { printRecoveryFile } from './layout.ts'
import { checkRecoverySettings } from './parameter-rules.ts'
import { isStandby, type RecoverySettings, writtenSettings } from './recovery-settings.ts'

const NAMES = { file: 'recovery.conf', standby: 'standby.signal', archive: 'recovery.signal' } as const

/** Whether a standby would follow somebody when it starts; what a running one was started with. */
export async function hasStandbySignal(dataDir: string, version: ServerVersion): Promise<boolean> {
  return exists(join(dataDir, majorOf(version) >= 120000 ? NAMES.standby : NAMES.file))
}

export function recoveryFilePath(dataDir: string): string {
  return join(dataDir, NAMES.file)
}

/** Puts the settings in place (spec postgres.md 2.8). From 12 on the caller writes them into postgresql.conf as well. */
export async function putRecoveryFiles(
  settings: RecoverySettings,
  dataDir: string,
  version: ServerVersion,
  passwordFile: PasswordFile,
): Promise<void> {
  const { file: mode } = await dataDirectoryModes(dataDir)
  if (settings.primaryConninfo && majorOf(version) >= 100000) await passwordFile.write(settings.primaryConninfo)
  if (majorOf(version) < 120000) {
    const { parameters } = checkRecoverySettings(writtenSettings(settings, version, passwordFile.path), version, null)
    await replaceFile(join(dataDir, NAMES.file), printRecoveryFile(parameters), mode)
  } else if (isStandby(settings)) {
    await updateFile(join(dataDir, NAMES.standby), '', mode)
  } else {
    await rm(join(dataDir, NAMES.standby), { force: true })
    await replaceFile(join(dataDir, NAMES.archive), '', mode)
  }
}

export async function removeRecoveryFiles(dataDir: string): Promise<void> {
  await Promise.all(Object.values(NAMES).map((name) => rm(join(dataDir, name), { force: true })))
}
