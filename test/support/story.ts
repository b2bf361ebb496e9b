import { test } from 'node:test'
import type { Cluster } from '../../lab/cluster.ts'

/** A case that hangs is a failure like any other. */
const LIMIT_MS = 150_000
const LOG_LINES = 25

/** A test on a cluster; when it fails, the ends of the members' logs are part of the message. */
export function story(title: string, cluster: () => Cluster, tell: (cluster: Cluster) => Promise<void>): void {
  test(title, { timeout: LIMIT_MS }, async () => {
    try {
      await tell(cluster())
    } catch (error) {
      throw withLogs(error, cluster())
    }
  })
}

export function withLogs(error: unknown, cluster: Cluster): Error {
  const told = error instanceof Error ? error : new Error(String(error))
  const failure = new Error(`${told.message}\n${cluster.logTails(LOG_LINES)}`, { cause: told })
  failure.stack = told.stack ?? ''
  return failure
}
