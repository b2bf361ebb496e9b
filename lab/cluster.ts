import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsPaths } from '../src/raft/transport/tls-files.ts'
import { Etcd } from './etcd.ts'
import { EtcdStore } from './etcd-store.ts'
import { type Host, THIS_HOST } from './host.ts'
import { type ConfigDocument, Member, type MemberPlace, memberConfig, type Timing } from './member.ts'
import { freePorts } from './ports.ts'
import { type Programs, stagePrograms } from './programs.ts'
import { RaftGroup } from './raft-group.ts'
import { giveTo, type ServerUser, serverUser } from './server-user.ts'
import type { Store, StoreKind } from './store.ts'
import { until } from './wait.ts'

export interface ClusterOptions {
  /** Where bin/ and dist/ are. */
  readonly checkout: string
  readonly scope: string
  readonly members: readonly string[]
  readonly timing: Timing
  /** Default: etcd. */
  readonly store?: StoreKind
  /** The store will be stopped or frozen. */
  readonly storeOutages?: boolean
  /**
   * Voters without PostgreSQL beside the members, where these are the store: as many as make three, or more where so many
   * members will be lost that the others are no majority.
   */
  readonly witnesses?: number
  /** Where the members are the store: they prove by certificates who they are. */
  readonly raftTls?: TlsPaths
  /** Part of the name of the folder below the temporary directory. */
  readonly purpose: string
  /** Another agent than ours; `{cfg}` stands for its configuration file. */
  readonly agentCommand?: readonly string[]
  readonly agentEnv?: Readonly<Record<string, string>>
  readonly dcs?: ConfigDocument
  readonly parameters?: ConfigDocument
  /** One etcd server runs on each; default: one, on this machine. */
  readonly storeHosts?: readonly Host[]
  /** What is special about the place of a member. */
  readonly placeOf?: (name: string, folder: string) => Partial<Pick<MemberPlace, 'host' | 'dataDir' | 'env'>>
}

/** One row of `GET /cluster`. */
export interface MemberRow {
  readonly name: string
  readonly role: string
  readonly state: string
  readonly host?: string
  readonly port?: number
  readonly timeline?: number
  readonly lag?: number | string
}

/** A store and some members, all real processes of this machine, below one temporary folder. */
export class Cluster {
  readonly folder: string
  readonly scope: string
  #store: Store
  readonly programs: Programs
  readonly members: Member[] = []
  /** Aborts when the cluster is killed: whoever uses it has to end. */
  readonly ended: AbortSignal
  readonly #end = new AbortController()
  readonly #options: ClusterOptions
  readonly #user: ServerUser | null

  private constructor(
    options: ClusterOptions,
    folder: string,
    user: ServerUser | null,
    programs: Programs,
    store: Store,
  ) {
    this.#options = options
    this.folder = folder
    this.scope = options.scope
    this.#user = user
    this.programs = programs
    this.#store = store
    this.ended = this.#end.signal
  }

  /** Makes the folder, starts the store and prepares the members; starts none of them. */
  static async create(options: ClusterOptions): Promise<Cluster> {
    const user = serverUser()
    const folder = mkdtempSync(join(tmpdir(), `matriarch-${options.purpose}-`))
    chmodSync(folder, 0o755)
    giveTo(user, folder)
    const programs = stagePrograms(options.checkout, join(folder, 'program'), user)
    const store = await createStore(options, { folder: join(folder, 'store'), user, programs })
    const cluster = new Cluster(options, folder, user, programs, store)
    try {
      await store.start()
      for (const name of options.members) await cluster.addMember(name)
    } catch (error) {
      await cluster.destroy()
      throw error
    }
    return cluster
  }

  /** Prepares one more member; does not start it. `name` may be that of another one if the folder differs. */
  async addMember(name: string, folderName = name): Promise<Member> {
    const [pgPort = 0, apiPort = 0] = await freePorts(2)
    const { scope, timing, dcs, parameters, agentEnv, placeOf } = this.#options
    const folder = join(this.folder, folderName)
    const special = placeOf?.(name, folder)
    const place: MemberPlace = {
      name,
      scope,
      folder,
      host: THIS_HOST,
      pgPort,
      apiPort,
      user: this.#user,
      agentCommand: this.#options.agentCommand ?? [this.programs.agent, '{cfg}'],
      ...special,
      env: { MATRIARCH_NODE: this.programs.node, ...agentEnv, ...special?.env },
    }
    const config = memberConfig(place, {
      timing,
      store: await this.store.sectionFor(folder),
      postgresBin: this.programs.postgresBin,
      ...(dcs ? { dcs } : {}),
      ...(parameters ? { parameters } : {}),
    })
    const member = new Member(place, config)
    this.members.push(member)
    return member
  }

  get store(): Store {
    return this.#store
  }

  /** The servers of the store, where it is etcd. */
  get stores(): readonly Etcd[] {
    if (!(this.store instanceof EtcdStore)) throw new Error('the members are the store')
    return this.store.servers
  }

  member(name: string): Member {
    const found = this.members.find((member) => member.name === name)
    if (!found) throw new Error(`no member ${name}`)
    return found
  }

  /** A key of this cluster in the store. */
  key(name: string): string {
    return `/service/${this.scope}/${name}`
  }

  /** The member whose REST server says that it is the primary; `null` when none or more than one does. */
  async leader(): Promise<Member | null> {
    const answers = await Promise.all(
      this.members.map(async (member) => (member.isRunning ? await member.rest('GET', '/primary') : null)),
    )
    const leaders = this.members.filter((_, i) => answers[i]?.status === 200)
    return leaders.length === 1 ? (leaders[0] ?? null) : null
  }

  /** Who can be written to: a member counts as the primary for its REST server already while it is being promoted. */
  async writable(limitMs: number, options: { readonly otherThan?: Member } = {}): Promise<Member> {
    return until('a primary can be written to', limitMs, async () => {
      const leader = await this.leader()
      if (!leader || leader === options.otherThan) return null
      const [row] = await leader.sql('SELECT pg_is_in_recovery() AS standby')
      return row?.['standby'] === false && leader
    })
  }

  /** The rows of `GET /cluster`, from the first member that answers. */
  async rows(): Promise<readonly MemberRow[]> {
    for (const member of this.members) {
      if (!member.isRunning) continue
      const answer = await member.rest('GET', '/cluster')
      const rows = (answer?.json as { members?: readonly MemberRow[] } | null | undefined)?.members
      if (rows) return rows
    }
    return []
  }

  /** One writable primary, and every other running member streams from it. @returns the primary */
  async healthy(limitMs: number): Promise<Member> {
    const running = this.members.filter((member) => member.isRunning)
    return until(`one primary and ${running.length - 1} streaming replicas`, limitMs, async () => {
      const leader = await this.leader()
      if (!leader) return null
      const [row] = await leader.sql(
        "SELECT NOT pg_is_in_recovery() AS writable, (SELECT count(*)::int FROM pg_stat_replication WHERE state = 'streaming') AS streaming",
      )
      const reports = await Promise.all(running.map((member) => member.report()))
      const allRun = reports.every((report) => report?.state === 'running' || report?.state === 'streaming')
      return row?.['writable'] === true && row['streaming'] === running.length - 1 && allRun && leader
    })
  }

  /** Ends the store and puts an empty one of that kind in its place, in the configurations of the members too; none runs. */
  async changeStore(kind: StoreKind): Promise<void> {
    const former = this.#store
    await former.close()
    const place = { folder: join(this.folder, `store-${kind}`), user: this.#user, programs: this.programs }
    this.#store = await createStore({ ...this.#options, store: kind }, place)
    await this.#store.start()
    for (const member of this.members) {
      delete member.config[former.kind]
      Object.assign(member.config, await this.#store.sectionFor(member.folder))
      member.writeConfig()
    }
  }

  /** After whatever went wrong: the store and every member run. */
  async revive(): Promise<void> {
    this.store.thaw()
    if (!this.store.isRunning) await this.store.start()
    for (const member of this.members) {
      member.signalAgent('SIGCONT')
      if (!member.isRunning) await member.start()
    }
  }

  /**
   * Starts the first member, or as many as the store needs, waits until one can be written to, then the others.
   * @returns how long both took
   */
  async bootstrap(limitMs: number): Promise<{ readonly writableMs: number; readonly streamingMs: number }> {
    const startedAt = performance.now()
    const first = this.members.slice(0, this.store.membersNeeded)
    if (first.length === 0) throw new Error('a cluster without members')
    for (const member of first) await member.start()
    await until('the first member can be written to', limitMs, async () => {
      const ended = first.find(({ isRunning }) => !isRunning)
      if (ended) throw new Error(`the agent of ${ended.name} has ended`)
      return ((await (await this.leader())?.sql('SELECT 1')) ?? []).length === 1
    })
    const writableMs = performance.now() - startedAt
    for (const member of this.members.slice(first.length)) await member.start()
    await this.healthy(limitMs)
    return { writableMs, streamingMs: performance.now() - startedAt }
  }

  /** The end of every log, for the report of a failed test. */
  logTails(lines: number): string {
    const tail = (text: string): string => text.trimEnd().split('\n').slice(-lines).join('\n')
    return this.members.map((member) => `--- ${member.name}\n${tail(member.logSince())}`).join('\n')
  }

  /** Orderly end of everything, replicas first; what does not end in time is killed. The folder stays. */
  async stop(limitMs: number): Promise<void> {
    const leader = await this.leader()
    await Promise.all(this.members.filter((member) => member !== leader).map((member) => member.stop(limitMs)))
    if (leader) {
      // Nobody is left who could take the lock: once its server has ended, nothing is worth waiting for.
      const ended = until('the last server ends', limitMs, () => leader.postmasterPid() === null)
      await Promise.race([leader.stop(limitMs), ended.catch(() => undefined)])
    }
    await this.kill()
  }

  /** Kills everything and removes the folder. */
  async destroy(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  /** Kills everything; the folder stays. */
  async kill(): Promise<void> {
    this.#end.abort()
    await Promise.all(this.members.map((member) => member.destroy()))
    await this.store.close()
  }
}

async function createStore(
  options: ClusterOptions,
  place: { readonly folder: string; readonly user: ServerUser | null; readonly programs: Programs },
): Promise<Store> {
  const { folder, user, programs } = place
  mkdirSync(folder)
  giveTo(user, folder)
  if (options.store !== 'raft') {
    return new EtcdStore(await Etcd.create({ binary: programs.etcd, folder, user }, options.storeHosts))
  }
  const members = options.members.length
  return RaftGroup.create({
    folder,
    user,
    program: programs.agent,
    env: { MATRIARCH_NODE: programs.node },
    members,
    witnesses: Math.max(options.witnesses ?? 0, VOTERS - members),
    interruptible: options.storeOutages ?? false,
    tls: options.raftTls ?? null,
  })
}

/** Fewer could not lose one. */
const VOTERS = 3
