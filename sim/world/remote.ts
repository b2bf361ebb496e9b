import { timeline } from '../../src/cluster/timeline.ts'
import { type DataFiles, newDataFiles } from '../pg/data.ts'
import { PgServer } from '../pg/server.ts'
import type { PgSurroundings } from '../pg/surroundings.ts'
import { FIRST_LSN } from '../pg/wal.ts'

/** The primary of somebody else, which a standby cluster copies. Nobody's agent looks after it, and it never fails by itself. */
export const REMOTE = 'remote'

export function startRemotePrimary(around: PgSurroundings): PgServer {
  const server = new PgServer(REMOTE, around)
  const branch = {
    systemIdentifier: '7000000000000000001',
    timeline: timeline(1),
    owner: REMOTE,
    parent: null,
    forkLsn: FIRST_LSN,
    end: FIRST_LSN,
    createdAt: around.scheduler.now,
  }
  around.observer.branchCreated(branch, 'bootstrap')
  server.files = newDataFiles(branch)
  server.launch()
  return server
}

/** The other site counts its timelines by itself. Two of one number nobody can tell apart: that takes a new copy by hand. */
const AHEAD = 20

/** A copy of this server is promoted outside: from here on it goes its own way. */
export function openRemoteCopy(around: PgSurroundings, files: DataFiles): PgServer {
  const { position } = files
  const server = new PgServer(REMOTE, around)
  const branch = {
    systemIdentifier: files.systemIdentifier,
    timeline: timeline(Math.max(files.newestTimeline, position.branch.timeline) + AHEAD),
    owner: REMOTE,
    parent: position.branch,
    forkLsn: position.lsn,
    end: position.lsn,
    createdAt: around.scheduler.now,
  }
  around.observer.branchCreated(branch, 'promotion')
  server.files = newDataFiles(branch)
  server.launch()
  return server
}
