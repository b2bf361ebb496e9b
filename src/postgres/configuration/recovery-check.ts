import type { Observation, RecoveryDifference } from '../../ports/postgres.ts'
import { readText } from '../files.ts'
import type { PasswordFile } from '../parts.ts'
import type { ServerVersion } from '../version.ts'
import { compareRecovery, type ReceiverFact } from './recovery-comparison.ts'
import { hasStandbySignal } from './recovery-files.ts'
import type { RecoverySettings } from './recovery-settings.ts'
import type { ConfigurationWriter } from './writer.ts'

/** What it would take that the running server follows as wanted (spec postgres.md 2.10). `none` where it cannot be asked. */
export async function recoveryDifference(
  writer: ConfigurationWriter,
  passwordFile: PasswordFile,
  wanted: RecoverySettings,
  version: ServerVersion,
  observation: Observation | null,
  signal: AbortSignal,
): Promise<RecoveryDifference> {
  if (!(await hasStandbySignal(writer.dataDir(), version))) return 'restart'
  const current = await writer.watch.current(writer.config(), version, signal)
  if (current === 'restart') return 'restart'
  if (current === 'unknown') return 'none'
  const lines = wanted.primaryConninfo ? passwordFile.lines(wanted.primaryConninfo) : []
  const present = await readText(passwordFile.path)
  const difference = compareRecovery({
    wanted,
    current,
    receiver: receiverOf(observation),
    version,
    passfileFits: (path) => path === passwordFile.path && present !== null && sameLines(present, lines),
  })
  return difference === 'none' && writer.state.rewriteAfterJoin ? 'reload' : difference
}

function receiverOf(observation: Observation | null): ReceiverFact | null {
  const receiver = observation?.walReceiver
  return receiver ? { slotName: receiver.slotName, conninfo: receiver.conninfo ?? null } : null
}

function sameLines(text: string, lines: readonly string[]): boolean {
  const present = new Set(text.split('\n').filter((line) => line !== ''))
  return present.size === new Set(lines).size && lines.every((line) => present.has(line))
}
