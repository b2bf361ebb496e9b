import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Observation, RecoveryDifference } from '../../ports/postgres.ts'
import { readText } from '../files.ts'
import type { PasswordFile } from '../parts.ts'
import type { ServerVersion } from '../version.ts'
import { compareRecovery, type ReceiverFact } from './recovery-comparison.ts'
import { hasStandbySignal } from './recovery-files.ts'
import type { RecoverySettings } from './recovery-settings.ts'
import type { ConfigurationWriter } from './writer.ts'

/** The files belong to the user as well, but looking at them has its price: that nothing differs is good for so long. */
const NOTHING_DIFFERS_MS = 60_000

export interface RecoveryCheck {
  /** What it would take that the running server follows as wanted (spec postgres.md 2.10). `none` where it cannot be asked. */
  difference(
    wanted: RecoverySettings,
    version: ServerVersion,
    observation: Observation | null,
    signal: AbortSignal,
  ): Promise<RecoveryDifference>
}

export function createRecoveryCheck(
  writer: ConfigurationWriter,
  passwordFile: PasswordFile,
  clock: Clock,
): RecoveryCheck {
  let settled: { readonly question: string; readonly at: Instant } | null = null

  async function look(
    wanted: RecoverySettings,
    version: ServerVersion,
    receiver: ReceiverFact | null,
    signal: AbortSignal,
  ): Promise<RecoveryDifference | 'unknown'> {
    if (!(await hasStandbySignal(writer.dataDir(), version))) return 'restart'
    const current = await writer.watch.current(writer.config(), version, signal)
    if (current === 'restart' || current === 'unknown') return current
    const lines = wanted.primaryConninfo ? passwordFile.lines(wanted.primaryConninfo) : []
    const present = await readText(passwordFile.path)
    const difference = compareRecovery({
      wanted,
      current,
      receiver,
      version,
      passfileFits: (path) => path === passwordFile.path && present !== null && sameLines(present, lines),
    })
    return difference === 'none' && writer.state.rewriteAfterJoin ? 'reload' : difference
  }

  return {
    async difference(wanted, version, observation, signal) {
      const receiver = receiverOf(observation)
      const { rewriteAfterJoin } = writer.state
      const values = [...wanted.values]
      const question = JSON.stringify([{ ...wanted, values }, receiver, rewriteAfterJoin, writer.watch.server()])
      if (settled?.question === question && elapsedMs(settled.at, clock.now()) < NOTHING_DIFFERS_MS) return 'none'
      const found = await look(wanted, version, receiver, signal)
      settled = found === 'none' ? { question, at: clock.now() } : null
      return found === 'unknown' ? 'none' : found
    },
  }
}

function receiverOf(observation: Observation | null): ReceiverFact | null {
  const receiver = observation?.walReceiver
  return receiver ? { slotName: receiver.slotName, conninfo: receiver.conninfo ?? null } : null
}

function sameLines(text: string, lines: readonly string[]): boolean {
  const present = new Set(text.split('\n').filter((line) => line !== ''))
  return present.size === new Set(lines).size && lines.every((line) => present.has(line))
}
