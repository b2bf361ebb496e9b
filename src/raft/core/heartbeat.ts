import { type State, send } from './state.ts'

/** Everybody learns that this member leads, and says that he is there. */
export function broadcastHeartbeat(state: State): void {
  state.heartbeatElapsed = 0
  state.round += 1
  for (const [id, { match }] of state.followers) {
    const commit = Math.min(match, state.log.committed)
    send(state, id, { kind: 'heartbeat', commit, round: state.round })
  }
}
