import { Cluster } from '../cluster.ts'
import type { StoreKind } from '../store.ts'
import { chapter, good, memberTable, say, seconds } from './screen.ts'

/** Short, so that the loss of a host is noticed soon: `ttl` below 20 needs the lease guard, which comes with the agent. */
export const TIMING = { ttl: 10, loopWait: 2, retryTimeout: 3 }
const START_LIMIT_MS = 60_000
const STORES: Readonly<Record<StoreKind, string>> = {
  raft: 'and no other store than the agents themselves',
  etcd3: 'one etcd',
}

/** Prepares three members. On etcd that is started here; on Raft they are the store themselves. */
export async function prepareHerd(store: StoreKind): Promise<Cluster> {
  return Cluster.create({
    checkout: process.cwd(),
    scope: 'demo',
    members: ['pg1', 'pg2', 'pg3'],
    timing: TIMING,
    store,
    purpose: 'demo',
  })
}

export async function bringUp(cluster: Cluster): Promise<void> {
  chapter(`Three PostgreSQL servers, three agents, ${STORES[cluster.store.kind]}`)
  say(`  Everything runs on this machine, below ${cluster.folder}`)
  const { writableMs, streamingMs } = await cluster.bootstrap(START_LIMIT_MS)
  good(
    `the first server could be written to after ${seconds(writableMs)}, all three were streaming after ${seconds(streamingMs)}`,
  )
  say()
  say(memberTable(await cluster.rows()))
}

/** How to look at it from another terminal. */
export function tellHowToConnect(cluster: Cluster): void {
  const [first] = cluster.members
  const ports = cluster.members.map((member) => member.pgPort).join(',')
  const hosts = cluster.members.map(() => '127.0.0.1').join(',')
  chapter('From another terminal')
  say('  Connect to whichever server is the primary (the password is patroni):')
  say(
    `    psql "host=${hosts} port=${ports} user=postgres password=patroni dbname=postgres target_session_attrs=read-write"`,
  )
  say('  Look at the cluster, move the primary, or pause the automatic failover:')
  const raft = cluster.store.kind === 'raft' ? ['raft status'] : []
  for (const words of ['list', 'switchover demo', 'pause demo', 'history demo', ...raft]) {
    say(`    bin/matriarchctl -c ${first?.configFile} ${words}`)
  }
  say(`  Kill a server and watch:    kill -9 $(head -1 ${first?.dataDir}/postmaster.pid)`)
  say(`  What the agents say:        tail -f ${cluster.folder}/pg*/agent.log`)
  say(`  Health of a member:         curl -i ${first?.apiUrl}/primary`)
}
