import { joinHostPort, splitHostPort } from '../../cluster/host-port.ts'
import type { Json, JsonObject } from '../../cluster/json.ts'
import { isTruthy, parseReal, textForm } from '../../cluster/values.ts'
import type { Problem } from '../../config/types.ts'
import type { TlsPaths } from '../../raft/transport/tls-files.ts'

/** The section `raft` as understood (spec dcs.md 3.8, configuration.md 3.8). */
export interface RaftOptions {
  /** `host:port` by which the others reach this member; `null`: it is none. */
  readonly selfAddress: string | null
  readonly bind: { readonly host: string | null; readonly port: number }
  readonly partners: readonly string[]
  readonly dataDir: string
  readonly password: string | null
  readonly tls: TlsPaths | null
}

export type RaftOptionsOutcome =
  | { readonly kind: 'options'; readonly options: RaftOptions }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }

/** Existing files may set them, so they are checked as ever; the timing of our own protocol is fixed. */
const TIMES = {
  min_timeout: 0.4,
  max_timeout: 1.4,
  connection_timeout: 3.5,
  append_entries_period: 0.1,
  connection_retry_time: 5,
  leader_fallback_timeout: 30,
} as const
type Time = keyof typeof TIMES

export function parseRaftOptions(section: JsonObject): RaftOptionsOutcome {
  const problems: Problem[] = []
  const complain = (key: string, message: string): void => {
    problems.push({ severity: 'error', key: `raft.${key}`, message, file: null, line: null })
  }
  const address = (key: string, value: Json | undefined): string | null => {
    if (!isTruthy(value)) return null
    const { host, port } = splitHostPort(textForm(value).trim(), null)
    if (host !== '' && isPort(port)) return joinHostPort(host, port)
    complain(key, `raft.${key}: ${textForm(value)} is not of the form host:port`)
    return null
  }
  const selfAddress = address('self_addr', section['self_addr'])
  const bindAddress = address('bind_addr', section['bind_addr'])
  const partners = partnerList(section['partner_addrs']).flatMap((value) => address('partner_addrs', value) ?? [])
  checkTimes(section, complain)
  const tls = tlsPaths(section, complain)
  if (problems.length > 0) return { kind: 'problems', problems }
  const bind = splitHostPort(bindAddress ?? selfAddress ?? '', 0)
  const options: RaftOptions = {
    selfAddress,
    bind: { host: bindAddress === null || bind.host === '*' ? null : bind.host, port: Number(bind.port) },
    partners: [...new Set(partners)].filter((one) => one !== selfAddress),
    dataDir: isTruthy(section['data_dir']) ? textForm(section['data_dir']) : '.',
    password: isTruthy(section['password']) ? textForm(section['password']) : null,
    tls,
  }
  return { kind: 'options', options }
}

/** Both sides of a connection show a certificate, so that the authority alone would be of no use. */
function tlsPaths(section: JsonObject, complain: (key: string, message: string) => void): TlsPaths | null {
  const [cacert, cert, key] = (['cacert', 'cert', 'key'] as const).map((name) =>
    isTruthy(section[name]) ? textForm(section[name]) : null,
  )
  if (cacert && cert) return { cacert, cert, key: key ?? cert }
  if (cert) complain('cacert', 'raft.cert needs raft.cacert: the authority of the certificates of all members')
  else if (cacert || key) complain('cert', 'raft.cacert and raft.key need raft.cert: the certificate of this member')
  return null
}

function partnerList(value: Json | undefined): readonly Json[] {
  if (Array.isArray(value)) return value as readonly Json[]
  return isTruthy(value) ? textForm(value).split(',') : []
}

function isPort(text: string | null): boolean {
  return text !== null && /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65536
}

function checkTimes(section: JsonObject, complain: (key: string, message: string) => void): void {
  const names = Object.keys(TIMES) as Time[]
  if (!names.some((name) => section[name] !== undefined)) return
  const value = (name: Time): number => parseReal(section[name]) ?? TIMES[name]
  const shown = (name: Time): string => `${name} ${value(name)}${section[name] === undefined ? ' (default)' : ''}`
  const rules: readonly (readonly [holds: boolean, first: Time, relation: string, second: Time])[] = [
    [
      value('min_timeout') > 3 * value('append_entries_period'),
      'min_timeout',
      'more than three times',
      'append_entries_period',
    ],
    [value('max_timeout') > value('min_timeout'), 'max_timeout', 'more than', 'min_timeout'],
    [value('connection_timeout') >= value('max_timeout'), 'connection_timeout', 'at least', 'max_timeout'],
    [
      value('leader_fallback_timeout') > value('append_entries_period'),
      'leader_fallback_timeout',
      'more than',
      'append_entries_period',
    ],
  ]
  for (const [holds, first, relation, second] of rules) {
    if (!holds) complain(first, `raft: ${shown(first)} must be ${relation} ${shown(second)}`)
  }
}
