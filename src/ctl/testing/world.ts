import type { FailoverRequest } from '../../cluster/failover-request.ts'
import type { Json, JsonObject } from '../../cluster/json.ts'
import { type StoredValue, version } from '../../cluster/stored.ts'
import type { Instant } from '../../cluster/time.ts'
import { type ClusterView, viewFromKeys } from '../../cluster/view.ts'
import type { Clock } from '../../ports/clock.ts'
import { DONE, type StoreOutcome } from '../../ports/dcs.ts'
import { CtlError } from '../errors.ts'
import { runProgram, type World } from '../program.ts'
import type { MemberAnswer, MemberCall, RaftGroup } from '../session.ts'
import type { Keywords, SqlClient } from '../sql/client.ts'
import type { TemporaryFile } from '../term/tools.ts'

/** Keys of a cluster relative to its tree, as text or as a document. */
export type Keys = Readonly<Record<string, Json>>

export interface Sent {
  readonly url: string
  readonly method: string
  readonly body: JsonObject | null
}

export interface TestWorld {
  /** Cluster name to its keys; `shop/0` is a group of a formation. */
  readonly clusters: Map<string, Keys>
  /** `unknown`: the store does not answer. `refused`: only writes are. */
  storeAnswers: 'done' | 'refused' | 'unknown'
  /** Answers of members, asked in the order of the calls. */
  answer: (sent: Sent) => MemberAnswer
  /** What the operator types; nothing more is the end of input. */
  input: string[]
  env: Record<string, string>
  files: Record<string, string>
  interactive: boolean
  /** Whether live lines are shown, on standard error. */
  showsProgress: boolean
  /** What the editor makes of the file. */
  edit: (text: string) => { readonly code: number; readonly text: string }
  /** Called before each wait, with the milliseconds waited so far. */
  onWait: (waitedMs: number) => void
  /** Called before each write into the store. */
  onWrite: () => void
  /** Answers connections to PostgreSQL. */
  connect: (keywords: Keywords) => Awaited<ReturnType<SqlClient['connect']>>
  /** The embedded Raft group. */
  raft: RaftGroup
  readonly sent: Sent[]
  readonly paged: string[]
  /** What was written into the store. */
  readonly written: { readonly cluster: string; readonly key: string; readonly value: Json }[]
  run(...argv: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }>
}

/** 2030-05-01 10:14:36.139 UTC, the moment of the worked examples. */
const NOW_MS = Date.UTC(2030, 4, 1, 10, 14, 36, 139)

/** A world without processes, network or time of its own, for tests of commands. */
export function testWorld(clusters: Readonly<Record<string, Keys>>): TestWorld {
  let waitedMs = 0
  let out = ''
  let err = ''
  const clock: Clock = {
    now: () => waitedMs as Instant,
    wallMs: () => NOW_MS + waitedMs,
    sleep: async (ms) => {
      await Promise.resolve()
      waitedMs += Math.max(0, ms)
      test.onWait(waitedMs)
    },
    deadline: () => ({ signal: new AbortController().signal, done: () => {} }),
  }
  const test: TestWorld = {
    clusters: new Map(Object.entries(clusters)),
    storeAnswers: 'done',
    answer: () => ({ kind: 'not sent', reason: 'connect ECONNREFUSED' }),
    input: [],
    env: { PATRONI_SCOPE: 'orders', PATRONI_ETCD3_HOST: '127.0.0.1:2379' },
    files: {},
    interactive: false,
    showsProgress: false,
    edit: () => ({ code: 0, text: '' }),
    onWait: () => {},
    onWrite: () => {},
    connect: () => ({ kind: 'failed', sqlState: null, message: 'connect ECONNREFUSED' }),
    raft: {
      status: () => Promise.reject(new CtlError('no group')),
      change: () => Promise.reject(new CtlError('no group')),
    },
    sent: [],
    paged: [],
    written: [],
    run: async (...argv) => {
      out = ''
      err = ''
      const code = await runProgram(world(), argv)
      return { code, out, err }
    },
  }
  const read = (name: string): ClusterView => viewOf(test.clusters.get(name) ?? {})
  const write = (cluster: string, key: string, value: Json): StoreOutcome => {
    test.onWrite()
    test.written.push({ cluster, key, value })
    return test.storeAnswers === 'done' ? DONE : { kind: test.storeAnswers, reason: 'the test says so' }
  }
  const world = (): World => ({
    program: 'patronictl',
    version: '4.1.4',
    env: test.env,
    platform: 'linux',
    home: '/home/nobody',
    clock,
    random: { next: () => 0 },
    signal: new AbortController().signal,
    terminal: {
      isInteractive: test.interactive,
      showsProgress: test.showsProgress,
      write: (text) => {
        out += text
      },
      writeError: (text) => {
        err += text
      },
      readLine: async (question) => {
        out += question
        const line = test.input.shift()
        // A terminal shows what is typed.
        out += line === undefined ? '' : `${line}\n`
        return line ?? null
      },
      readSecret: async (question) => {
        out += question
        return test.input.shift() ?? null
      },
      readAll: async () => test.input.splice(0).join('\n'),
    },
    tools: {
      env: (name) => test.env[name] || null,
      which: (name) => (name === 'less' || name === 'vi' ? `/usr/bin/${name}` : null),
      readFile: async (path) => test.files[path] ?? '',
      withTemporaryFile: async ({ prefix, suffix }, text, use) => {
        const path = `/tmp/${prefix}0${suffix}`
        test.files[path] = text
        const file: TemporaryFile = { path, read: () => test.files[path] ?? '' }
        return use(file)
      },
      runWithTerminal: async (_, path) => {
        const { code, text } = test.edit(test.files[path] ?? '')
        test.files[path] = text
        return code
      },
      page: async (_program, _args, text) => {
        test.paged.push(text)
      },
    },
    files: {
      kind: async (path) => (path in test.files ? 'file' : 'missing'),
      list: async () => [],
      read: async (path) => test.files[path] ?? '',
    },
    stores: () => ({
      description: 'etcd3 at 127.0.0.1:2379',
      open: async (cluster, group) => {
        const name = group === null ? cluster : `${cluster}/${group}`
        return {
          load: async () =>
            test.storeAnswers === 'unknown'
              ? { kind: 'unknown', reason: 'timed out' }
              : { kind: 'done', value: read(name) },
          loadGroups: async () => {
            const groups = [...test.clusters.keys()].flatMap((name) => {
              const [, number] = name.startsWith(`${cluster}/`) ? name.split('/') : []
              return number === undefined ? [] : [[Number(number), read(name)] as const]
            })
            return { kind: 'done', value: new Map(groups) }
          },
          writeFailover: async (request: Omit<FailoverRequest, 'version'>) => write(name, 'failover', { ...request }),
          writeConfig: async (document) => write(name, 'config', document),
          deleteCluster: async () => write(name, '', null),
        }
      },
    }),
    sql: { connect: async (keywords) => test.connect(keywords) },
    raft: () => test.raft,
    members: () => ({
      call: async (apiUrl, { method, endpoint, body }: MemberCall) => {
        const url = endpoint === null ? apiUrl : new URL(`/${endpoint}`, apiUrl).href
        const sent = { method, url, body }
        test.sent.push(sent)
        return test.answer(sent)
      },
    }),
  })
  return test
}

function viewOf(keys: Keys): ClusterView {
  const stored = Object.entries(keys).map(([key, value], i): [string, StoredValue] => [
    key,
    { text: typeof value === 'string' ? value : JSON.stringify(value), version: version(`${i}`), session: null },
  ])
  return viewFromKeys(new Map(stored))
}

export function answered(status: number, body: string): MemberAnswer {
  return { kind: 'answered', status, body }
}

/** A member key as a running replica or leader publishes it. */
export function memberKey(host: string, changes: JsonObject = {}): JsonObject {
  return {
    conn_url: `postgres://${host}:5432/postgres`,
    api_url: `https://${host}:8008/patroni`,
    state: 'running',
    role: 'replica',
    version: '4.1.4',
    xlog_location: 100663296,
    receive_lsn: 100663296,
    replay_lsn: 100663296,
    replication_state: 'streaming',
    timeline: 4,
    ...changes,
  }
}

/** The cluster of the worked examples: db1 leads, db3 is 5 MB behind with its replay. */
export const ORDERS: Keys = {
  initialize: '7412345678901234567',
  leader: 'db1',
  config: {
    ttl: 30,
    loop_wait: 10,
    retry_timeout: 10,
    maximum_lag_on_failover: 1048576,
    postgresql: { use_pg_rewind: true, parameters: { max_connections: 100, work_mem: '4MB' } },
  },
  status: { optime: 100663296 },
  'members/db1': memberKey('10.20.0.11', { role: 'primary', replication_state: '' }),
  'members/db2': memberKey('10.20.0.12'),
  'members/db3': memberKey('10.20.0.13', { replay_lsn: 0x5a995c0 }),
}
