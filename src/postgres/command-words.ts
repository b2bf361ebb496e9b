import type { Log } from '../ports/log.ts'
import { splitShellWords } from './shell-words.ts'

/** The words of a configured command; `null`, with an error in the log, where there are none. */
export function commandWords(what: string, command: string, log: Log): readonly string[] | null {
  const split = splitShellWords(command)
  if (split.kind === 'malformed') {
    log.error(`${what} cannot be run: ${split.problem}`)
    return null
  }
  if (split.words.length > 0) return split.words
  log.error(`${what} cannot be run: it is empty`)
  return null
}
