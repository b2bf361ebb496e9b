import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MOST_PASSED_OVER, parseTimeline, type Timeline, timelineHex } from '../cluster/timeline.ts'
import { walDirectory } from './directory-facts.ts'
import { dataDirectoryModes, exists, replaceFile, syncDirectory } from './files.ts'

/**
 * A promotion begins the first timeline after its own for which PostgreSQL finds no history file. A number that some
 * lost member has used already is passed over by a file that only says so: a comment, which PostgreSQL reads as a
 * timeline without ancestors, so that no standby takes it for one to follow. It stays, because standbys fetch the
 * files of all numbers up to the one they follow.
 */
const MARK = '# passed over: this number may be in use elsewhere\n'

/**
 * Makes the coming promotion of a server that is on `own` begin `begins`.
 * @returns what takes it back, for a promotion that does not happen; or why it cannot be done
 */
export async function passTimelines(
  dataDir: string,
  own: Timeline,
  begins: Timeline,
): Promise<{ readonly undo: () => Promise<void> } | { readonly refusal: string }> {
  if (begins <= own) return { refusal: `it is on timeline ${own} and cannot begin timeline ${begins}` }
  if (begins - own > MOST_PASSED_OVER) return { refusal: `timeline ${begins} is too far from its own, ${own}` }
  const directory = await walDirectory(dataDir)
  const { file: mode } = await dataDirectoryModes(dataDir)
  const written: string[] = []
  for (let number = own + 1; number < begins; number++) {
    const path = join(directory, `${timelineHex(number as Timeline)}.history`)
    if (await exists(path)) continue
    await replaceFile(path, MARK, mode)
    written.push(path)
  }
  if (written.length > 0) await syncDirectory(directory)
  return {
    async undo() {
      for (const path of written.toReversed()) await rm(path, { force: true })
    },
  }
}

/**
 * Removes what a promotion that never happened has left: numbers passed over with no timeline begun behind them. A
 * standby would take the highest for its goal and could not start.
 */
export async function forgetPassedTimelines(dataDir: string): Promise<void> {
  const directory = await walDirectory(dataDir)
  const names = (await readdir(directory).catch(() => [])).filter((name) => /^[0-9A-F]{8}\.history$/.test(name))
  const newestFirst = names.sort((a, b) => (a < b ? 1 : -1))
  for (const name of newestFirst) {
    const path = join(directory, name)
    if (parseTimeline(Number.parseInt(name, 16)) === null || (await readFile(path, 'utf8').catch(() => '')) !== MARK)
      return
    await rm(path, { force: true })
  }
}
