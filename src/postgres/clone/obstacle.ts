import { later } from '../../cluster/time.ts'
import type { Config } from '../../config/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { CloneRequest } from '../../ports/postgres.ts'
import { upstreamKeywords } from '../credentials.ts'
import type { SqlConnector } from '../parts.ts'
import { methodNames, needsNoSource } from './methods.ts'

interface ObstacleDependencies {
  readonly config: () => Config
  readonly connector: SqlConnector
  readonly clock: Clock
}

const ANSWER_LIMIT_MS = 3000
/** `cannot_connect_now`: it starts, stops or recovers. */
const NOT_READY = '57P03'

/**
 * Whether a copy can be made now, asked before what is there is removed for it: its source may have lost everything, and
 * then this member has the last copy. A method of the operator's own may do without a replication connection, so there it
 * suffices that a server answers. @returns why not; `null`: nothing stands in the way
 */
export async function copyObstacle(
  { config, connector, clock }: ObstacleDependencies,
  request: CloneRequest,
  signal: AbortSignal,
): Promise<string | null> {
  const methods = methodNames(config(), request)
  if (methods.some((name) => needsNoSource(config(), name))) return null
  const keywords = upstreamKeywords(request.source, config().postgresql.replication, config())
  if (!keywords) return 'the source has no address'
  const connection = connector.connection({ connect_timeout: '3', ...keywords, replication: 'true' })
  try {
    const answer = await connection.query('IDENTIFY_SYSTEM', [], {
      deadline: later(clock.now(), ANSWER_LIMIT_MS),
      signal,
    })
    if (answer.kind === 'rows') return null
    const { sqlState } = answer
    const serverAnswers = sqlState !== undefined && sqlState !== NOT_READY
    if (serverAnswers && methods.some((name) => name !== 'basebackup')) return null
    return answer.kind === 'error' ? answer.message : answer.reason
  } finally {
    connection.close()
  }
}
