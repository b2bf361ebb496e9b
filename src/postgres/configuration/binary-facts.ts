import { stat } from 'node:fs/promises'
import type { Binaries, CommandRunner } from '../parts.ts'
import { binaryVersion, type ServerVersion } from '../version.ts'

/** What the installed `postgres` says about itself. Asked anew only when the file was replaced. */
export interface BinaryFacts {
  /** 0 where it cannot be run. */
  version(signal: AbortSignal): Promise<ServerVersion>
  /** Lower-case names that `--describe-config` lists; `null` where it cannot be run. */
  parameterNames(signal: AbortSignal): Promise<ReadonlySet<string> | null>
}

export function createBinaryFacts(runner: CommandRunner, binaries: Binaries): BinaryFacts {
  const version = remembered(binaries, (signal) => binaryVersion(runner, binaries, signal))
  const names = remembered(binaries, (signal) => describedNames(runner, binaries, signal))
  return { version, parameterNames: names }
}

/** Keeps an answer as long as the executable is the same file. One found through PATH is asked each time. */
function remembered<T>(
  binaries: Binaries,
  ask: (signal: AbortSignal) => Promise<T>,
): (signal: AbortSignal) => Promise<T> {
  let last: { readonly identity: string; readonly answer: T } | undefined
  return async (signal) => {
    const found = await stat(binaries.path('postgres')).catch(() => null)
    const identity = found ? `${found.ino}:${found.mtimeMs}` : ''
    if (last && identity !== '' && last.identity === identity) return last.answer
    const answer = await ask(signal)
    last = answer ? { identity, answer } : undefined
    return answer
  }
}

async function describedNames(
  runner: CommandRunner,
  binaries: Binaries,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | null> {
  const { code, stdout } = await runner.run([binaries.path('postgres'), '--describe-config'], { signal })
  if (code !== 0) return null
  return new Set(stdout.split('\n').map((line) => (line.split('\t', 1)[0] ?? '').toLowerCase()))
}
