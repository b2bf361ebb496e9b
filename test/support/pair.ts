import assert from 'node:assert/strict'
import { type MemberChanges, newMember, type TestMember } from './member.ts'

const never = new AbortController().signal

/** Members of one test file; `removeAll` belongs into its `after`. */
export class Herd {
  readonly members: TestMember[] = []

  async member(name: string, changes: MemberChanges = {}): Promise<TestMember> {
    const made = await newMember(name, changes)
    this.members.push(made)
    return made
  }

  /** A new cluster's first member, with its users. */
  async primary(name = 'node-1', changes: MemberChanges = {}): Promise<TestMember> {
    const made = await this.member(name, changes)
    assert.ok(await made.bootstrap.bootstrap(never), made.log.lines.join('\n'))
    made.tools.memory.setRole('primary')
    assert.ok(await made.bootstrap.postBootstrap(never), made.log.lines.join('\n'))
    return made
  }

  /** A copy that streams. */
  async replicaOf(source: TestMember, name: string, changes: MemberChanges = {}): Promise<TestMember> {
    const made = await this.member(name, changes)
    assert.ok(await made.clone.clone({ source: source.upstream }, never), made.log.lines.join('\n'))
    await follow(made, source)
    await until(
      async () =>
        (await source.ask(`SELECT count(*)::int FROM pg_stat_replication WHERE application_name = '${name}'`)) === 1,
      'it streams',
    )
    return made
  }

  async removeAll(): Promise<void> {
    for (const one of this.members) await one.remove()
  }
}

export async function follow(member: TestMember, source: TestMember): Promise<void> {
  const slot = member.name.replaceAll('-', '_')
  await source.ask(
    `SELECT pg_create_physical_replication_slot('${slot}', true) WHERE NOT EXISTS (SELECT 1 FROM pg_replication_slots WHERE slot_name = '${slot}')`,
  )
  const request = { upstream: source.upstream, role: 'replica', timeoutMs: null, reload: false } as const
  assert.equal(await member.server.follow(request, never), 'running', member.log.lines.join('\n'))
}

export async function until(holds: () => Promise<boolean>, what: string, limitMs = 15_000): Promise<void> {
  const since = performance.now()
  while (!(await holds())) {
    if (performance.now() - since > limitMs) assert.fail(`not within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
