import { join } from 'node:path'
import { elapsedMs, type Instant } from '../../cluster/time.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { moveDataDirectoryAside, removeDataDirectory } from '../clone/remove-data-directory.ts'
import { exists } from '../files.ts'
import { signalProcess } from '../process-table.ts'
import { dataFingerprint, isRewound, orphanedTools, type WorkNote } from '../unfinished-work.ts'

/** How long a half-rewound directory waits for a second rewind before it is given up in favour of a copy. */
const PATIENCE_MS = 60_000
const ORPHAN_LIMIT_MS = 10_000
const ORPHAN_POLL_MS = 50

/** Keeps a data directory from being started that a killed agent left unfinished. */
export interface StartGuard {
  /**
   * Sees to what an earlier agent left behind: ends its tools, removes a partial copy, clears the note of a rewind that
   * has not written anything. Cheap when there is nothing.
   */
  tidyUp(): Promise<void>
  /**
   * Why the server must not be started now; `null`: it may.
   * @param following there is somebody to follow, so a copy could be made instead
   */
  startForbidden(following: boolean): Promise<string | null>
}

export function createStartGuard(dataDir: () => string, note: () => WorkNote, clock: Clock, log: Log): StartGuard {
  let refusedSince: Instant | null = null

  async function endOrphans(): Promise<void> {
    const deadline = clock.now() + ORPHAN_LIMIT_MS
    for (;;) {
      const orphans = await orphanedTools(dataDir())
      if (orphans.length === 0) return
      for (const pid of orphans) {
        log.warning(`Ending process ${pid}, which an earlier agent left working on ${dataDir()}`)
        signalProcess(pid, 'SIGKILL')
      }
      if (clock.now() > deadline) throw new Error(`processes ${orphans.join(', ')} cannot be ended`)
      await clock.sleep(ORPHAN_POLL_MS, new AbortController().signal)
    }
  }

  /**
   * What is unfinished has no pg_control: copies get it last, removals take it first. Where there is one, somebody may
   * have put a good data directory in the place of ours, and it is not for us to delete.
   */
  async function clearAway(): Promise<void> {
    if (await exists(join(dataDir(), 'global', 'pg_control'))) await moveDataDirectoryAside(dataDir(), log)
    else await removeDataDirectory(dataDir(), log)
  }

  async function tidyUp(): Promise<void> {
    const work = await note().read()
    if (!work) return
    await endOrphans()
    if (work.kind === 'copy') {
      log.warning(`${dataDir()} was never finished, or not removed to the end`)
      await clearAway()
      await note().remove()
    } else if ((await dataFingerprint(dataDir())) === work.fingerprint) {
      log.info(`pg_rewind was cut off before it changed anything in ${dataDir()}`)
      await note().remove()
    } else if (await isRewound(dataDir())) {
      log.info(`pg_rewind had come to its end in ${dataDir()}`)
      await note().remove()
    }
  }

  async function startForbidden(following: boolean): Promise<string | null> {
    const before = await note().read()
    if (!before) {
      refusedSince = null
      return null
    }
    await tidyUp()
    if (before.kind === 'copy') return `${dataDir()} was not started: it was never finished`
    if (!(await note().read())) return null
    refusedSince ??= clock.now()
    const refusal = `${dataDir()} was not started: pg_rewind was cut off while it was changing it`
    if (!following || elapsedMs(refusedSince, clock.now()) < PATIENCE_MS) return refusal
    // Whoever could have been the source of another rewind has had his time. A copy needs less of them.
    await moveDataDirectoryAside(dataDir(), log)
    await note().remove()
    refusedSince = null
    return `${refusal}; it was moved aside to make room for a copy`
  }

  return { tidyUp, startForbidden }
}
