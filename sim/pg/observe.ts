import { maxLsn, ZERO_LSN } from '../../src/cluster/lsn.ts'
import { slotName } from '../../src/cluster/slot-name.ts'
import type { Instant } from '../../src/cluster/time.ts'
import { UNKNOWN_TIMELINE } from '../../src/cluster/timeline.ts'
import type { Observation, WalSender } from '../../src/ports/postgres.ts'
import type { Postmaster } from './postmaster.ts'

/** One look into a running server, as its monitoring views tell it. */
export function observation(postmaster: Postmaster, at: Instant): Observation {
  const { files, inRecovery, receiver } = postmaster
  const { lsn, branch } = files.position
  const link = receiver.link
  return {
    at,
    inRecovery,
    timeline: inRecovery ? UNKNOWN_TIMELINE : branch.timeline,
    primaryLsn: inRecovery ? ZERO_LSN : lsn,
    insertLsn: inRecovery ? ZERO_LSN : maxLsn(postmaster.commits.insertLsn, lsn),
    receivedLsn: inRecovery && receiver.everStreamed ? lsn : ZERO_LSN,
    replayedLsn: inRecovery ? postmaster.replayLsn : ZERO_LSN,
    replayedAt: null,
    replayPaused: postmaster.replayPaused,
    postmasterStartTime: postmaster.startTime,
    walReceiver:
      inRecovery && link
        ? {
            status: 'streaming',
            slotName: slotName(postmaster.server.host),
            timeline: branch.timeline,
            latestEndLsn: lsn,
          }
        : null,
    walSenders: walSenders(postmaster),
    slots: [],
    synchronousStandbyNames: files.synchronousStandbyNames,
    synchronousCommit: 'on',
    hasRestoreCommand: false,
  }
}

function walSenders(postmaster: Postmaster): WalSender[] {
  const states = postmaster.commits.states()
  return [...postmaster.links].map(([name, link]) => ({
    pid: link.pid,
    applicationName: name,
    userName: 'replicator',
    clientAddr: name,
    state: link.state,
    syncState: states.get(name)?.state ?? 'async',
    syncPriority: states.get(name)?.priority ?? 0,
    writeLsn: link.flushLsn,
    flushLsn: link.flushLsn,
    replayLsn: link.flushLsn,
  }))
}
