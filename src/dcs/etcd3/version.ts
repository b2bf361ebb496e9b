import { isObject, parseJson } from '../../cluster/json.ts'

/** What the version of an etcd cluster means for us (spec dcs.md 3.2). */
export interface Dialect {
  readonly apiPrefix: '/v3' | '/v3beta' | '/v3alpha'
  readonly watches: boolean
  readonly authenticates: boolean
}

export type VersionOutcome =
  | { readonly kind: 'supported'; readonly dialect: Dialect }
  | { readonly kind: 'unsupported'; readonly text: string }
  | { readonly kind: 'unreadable' }

/** @param body of `GET /version`: `{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}` */
export function readVersion(body: string): VersionOutcome {
  const document = parseJson(body)
  if (!isObject(document)) return { kind: 'unreadable' }
  const server = parts(document['etcdserver'])
  if (!server) return { kind: 'unreadable' }
  // A cluster that is just forming has not agreed on its version yet and says `not_decided`.
  const cluster = parts(document['etcdcluster']) ?? server
  if (isBelow(server, [3, 0, 4]) || isBelow(cluster, [3, 0])) {
    return { kind: 'unsupported', text: `Detected Etcd version ${server.join('.')} is lower than 3.0.4` }
  }
  return {
    kind: 'supported',
    dialect: {
      apiPrefix: isBelow(cluster, [3, 3]) ? '/v3alpha' : isBelow(cluster, [3, 4]) ? '/v3beta' : '/v3',
      watches: !isBelow(cluster, [3, 1]),
      authenticates: !isBelow(cluster, [3, 3]),
    },
  }
}

function parts(version: unknown): number[] | null {
  const match = typeof version === 'string' ? /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) : null
  return match ? [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] : null
}

function isBelow(version: readonly number[], limit: readonly number[]): boolean {
  for (const [i, wanted] of limit.entries()) {
    const have = version[i] ?? 0
    if (have !== wanted) return have < wanted
  }
  return false
}
