import { parseArgs } from 'node:util'
import type { Cluster } from '../cluster.ts'
import { STORE_KINDS, type StoreKind } from '../store.ts'
import { prepareHerd } from './herd.ts'
import { live } from './live.ts'
import { bad, say } from './screen.ts'
import { tour } from './tour.ts'

const USAGE = `usage: ./demo              three servers and their agents, until Ctrl-C
       ./demo --failover   a guided tour: the primary's host is lost, comes back, and a switchover
       --dcs raft|etcd3    where the agents keep the lock: among themselves (default), or in an etcd
       --keep              leave data and logs behind at the end
`
const STOP_LIMIT_MS = 15_000

async function main(): Promise<number> {
  const { values: options } = parseArgs({
    options: {
      failover: { type: 'boolean', default: false },
      dcs: { type: 'string', default: 'raft' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (options.help) {
    process.stdout.write(USAGE)
    return 0
  }
  const store = storeNamed(options.dcs)
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ended.abort())

  const cluster = await prepareHerd(store)
  let keep = options.keep
  try {
    const done = options.failover ? tour(cluster) : live(cluster, ended.signal).then(() => true)
    const fine = await Promise.race([done, interrupted(ended.signal)])
    if (!fine) keep = true
    return fine ? 0 : 1
  } catch (error) {
    keep = true
    bad(error instanceof Error ? error.message : String(error))
    return 1
  } finally {
    await end(cluster, { keep })
  }
}

function storeNamed(name: string): StoreKind {
  const kind = STORE_KINDS.find((one) => one === name)
  if (!kind) throw new Error(`--dcs ${name}: choose one of ${STORE_KINDS.join(', ')}`)
  return kind
}

/** An orderly end; a second Ctrl-C makes it short. */
async function end(cluster: Cluster, options: { readonly keep: boolean }): Promise<void> {
  say()
  say('Ending everything that was started ...')
  const again = new Promise<void>((resolve) => process.once('SIGINT', () => resolve()))
  await Promise.race([cluster.stop(STOP_LIMIT_MS), again])
  if (options.keep) {
    await cluster.kill()
    say(`Data and logs are in ${cluster.folder}`)
  } else {
    await cluster.destroy()
    say('Nothing is left behind.')
  }
}

function interrupted(signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(true)
    signal.addEventListener('abort', () => resolve(true))
  })
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
