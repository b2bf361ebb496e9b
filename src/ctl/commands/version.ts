import { isObject, type JsonObject, parseJson } from '../../cluster/json.ts'
import { textForm } from '../../cluster/values.ts'
import { callMember, QUICK_MS } from '../calls.ts'
import { defineCommand } from '../cli/command.ts'
import { integer, optional, variadic } from '../cli/options.ts'
import { readSnapshot } from '../reading.ts'
import { printServerVersion } from '../server-version.ts'
import type { MemberAnswer } from '../session.ts'
import { allTargets } from '../snapshot.ts'

/** Spec ctl.md 8.5. */
export default defineCommand({
  description: 'Show the version of this tool, and with a cluster the versions of its members.',
  arguments: { cluster: optional('CLUSTER_NAME'), members: variadic('MEMBER_NAMES') },
  options: { group: integer('--group', 'Citus group') },
  async run(session, args, { group }) {
    const { terminal } = session
    terminal.write(`${session.program} version ${session.version}\n`)
    if (args.cluster === null || args.cluster === '') return
    const snapshot = await readSnapshot(session, args.cluster, group)
    terminal.write('\n')
    const asked = allTargets(snapshot).filter(
      ({ name, member }) => member.data.apiUrl !== null && (args.members.length === 0 || args.members.includes(name)),
    )
    for (const target of asked) {
      const answer = await callMember(session, target, { method: 'GET', endpoint: null, body: null, limitMs: QUICK_MS })
      terminal.write(`${target.name}: ${versions(answer)}\n`)
    }
  },
})

function versions(answer: MemberAnswer): string {
  if (answer.kind !== 'answered') return `failed to get version: ${answer.reason}`
  const document = parseJson(answer.body)
  const about = isObject(document) ? document['patroni'] : undefined
  if (!isObject(document) || !isObject(about))
    return `failed to get version: status ${answer.status}, the answer does not name one`
  return `Patroni ${textForm(about['version'])}${serverPart(document)}`
}

function serverPart(document: JsonObject): string {
  const version = document['server_version']
  return typeof version === 'number' && version > 0 ? ` PostgreSQL ${printServerVersion(version)}` : ''
}
