import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { parseRaftOptions } from '../dcs/raft/index.ts'
import type { Clock, Random } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { RaftClient } from '../raft/client/client.ts'
import { openTls } from '../raft/transport/trust.ts'
import type { CtlConfiguration } from './configuration.ts'
import { CtlError } from './errors.ts'
import type { RaftAnswer, RaftGroup, RaftMember, RaftStatus } from './session.ts'

/** The embedded Raft group of the configuration, as a client that has no vote. */
export function openRaftGroup(
  { store }: Pick<CtlConfiguration, 'store'>,
  log: Log,
  deps: { readonly clock: Clock; readonly random: Random },
): RaftGroup {
  let client: Promise<RaftClient> | null = null
  const open = (): Promise<RaftClient> => {
    if (store.kind !== 'raft') throw new CtlError('The configuration has no section raft: the store is another one')
    const parsed = parseRaftOptions(store.section)
    if (parsed.kind === 'problems') throw new CtlError(parsed.problems[0]?.message ?? 'raft')
    const { selfAddress, partners, password, tls } = parsed.options
    const addresses = [...(selfAddress === null ? [] : [selfAddress]), ...partners]
    if (addresses.length === 0) throw new CtlError('raft.partner_addrs names nobody who could be asked')
    const files = openTls(tls, { ...deps, log })
    if (typeof files === 'string') throw new CtlError(files)
    client ??= RaftClient.create({ addresses, password, tls: files }, { ...deps, log: quieter(log) })
    return client
  }
  return {
    async status(budget): Promise<RaftStatus> {
      const group = await open()
      const any = read(await group.ask({ do: 'status' }, budget))
      const first = statusOf(any)
      if (first.leader === null || first.leader === first.self) return first
      // Only the leader knows how far each of the others is.
      const asked = await group.askAt(first.leader, { do: 'status' }, budget)
      return asked.kind === 'answer' ? statusOf(asked.body) : first
    },
    async change(action, address, budget): Promise<RaftAnswer> {
      const group = await open()
      const { again, failed } = read(await group.ask({ do: action, address, hops: 1 }, budget))
      if (typeof again === 'string') return { kind: 'not now', reason: again }
      return typeof failed === 'string' ? { kind: 'refused', reason: failed } : { kind: 'under way' }
    },
  }
}

function read(asked: Awaited<ReturnType<RaftClient['ask']>>): JsonObject {
  if (asked.kind === 'answer') return asked.body
  throw new CtlError(`No member of the Raft group answers: ${asked.reason}`)
}

function statusOf(body: JsonObject): RaftStatus {
  const text = (key: string): string | null => (typeof body[key] === 'string' ? body[key] : null)
  const number = (key: string): number => (typeof body[key] === 'number' ? body[key] : 0)
  const failed = text('failed')
  if (failed !== null) throw new CtlError(failed)
  const members = Array.isArray(body['members']) ? (body['members'] as readonly Json[]) : []
  return {
    self: text('self') ?? '',
    role: text('role') ?? '',
    leader: text('leader'),
    term: number('term'),
    committed: number('committed'),
    applied: number('applied'),
    logLength: number('logLength'),
    members: members.filter(isObject).map(memberOf),
  }
}

function memberOf({ address, voter, leader, connected, match, active }: JsonObject): RaftMember {
  return {
    address: typeof address === 'string' ? address : '',
    isVoter: voter === true,
    isLeader: leader === true,
    isThere: typeof active === 'boolean' ? active : connected === true,
    match: typeof match === 'number' ? match : null,
  }
}

/** What the client warns of while it tries is part of the error in the end. */
function quieter(log: Log): Log {
  return { ...log, warning: (text) => log.info(text), error: (text) => log.info(text) }
}
