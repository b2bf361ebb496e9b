import assert from 'node:assert/strict'
import type { Cluster } from '../../lab/cluster.ts'
import type { Account } from '../../lab/ledger.ts'
import type { Member } from '../../lab/member.ts'
import { until } from '../../lab/wait.ts'

/** Every acknowledged row is there. */
export function assertNothingLost(account: Account): void {
  assert.ok(account.acknowledged > 20, `the writer wrote (${account.acknowledged} rows)`)
  assert.deepEqual(account.lost, [])
}

/** The store and the health checks of all members agree that this member leads and the others follow. */
export async function assertLeads(cluster: Cluster, leader: Member): Promise<void> {
  await until(`store and REST servers agree on ${leader.name}`, 20_000, async () => {
    assert.equal(await cluster.store.get(cluster.key('leader')), leader.name)
    for (const member of cluster.members.filter((candidate) => candidate.isRunning)) {
      const [primary, replica] = member === leader ? [200, 503] : [503, 200]
      assert.equal((await member.rest('GET', '/primary'))?.status, primary, `${member.name} /primary`)
      assert.equal((await member.rest('GET', '/replica'))?.status, replica, `${member.name} /replica`)
      const published = JSON.parse(
        (await cluster.store.get(cluster.key(`members/${member.name}`))) ?? '{}',
      ) as MemberKey
      assert.equal(published.role, member === leader ? 'primary' : 'replica')
      assert.equal(published.state, 'running')
      assert.equal(published.conn_url, `postgres://127.0.0.1:${member.pgPort}/postgres`)
      assert.equal(published.api_url, `http://127.0.0.1:${member.apiPort}/patroni`)
    }
    return true
  })
}

interface MemberKey {
  readonly role?: string
  readonly state?: string
  readonly conn_url?: string
  readonly api_url?: string
  readonly timeline?: number
}

/** Rows of the `history` key: timeline, position, reason, time, new leader. */
export async function history(cluster: Cluster): Promise<readonly (readonly unknown[])[]> {
  return JSON.parse((await cluster.store.get(cluster.key('history'))) ?? '[]') as readonly (readonly unknown[])[]
}

export async function timeline(member: Member): Promise<number> {
  return (await member.report())?.timeline ?? 0
}

/** No line of the log may be louder than what happened; this one never. */
export function assertNoBug(cluster: Cluster): void {
  for (const member of cluster.members) {
    const log = member.logSince()
    assert.ok(!log.includes('please report it as a BUG'), `${member.name} reports a bug`)
    assert.ok(!/^\s+at .+:\d+:\d+\)?$/m.test(log), `${member.name} printed a stack trace`)
  }
}
