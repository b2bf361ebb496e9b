import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { later } from '../src/cluster/time.ts'
import type { Budget } from '../src/ports/clock.ts'
import { RaftClient } from '../src/raft/client/client.ts'
import { Session } from '../src/raft/client/session.ts'
import { TlsFiles, type TlsPaths } from '../src/raft/transport/tls-files.ts'
import { systemClock } from '../src/system/clock.ts'
import { systemRandom } from '../src/system/random.ts'
import type { ConfigDocument } from './member.ts'
import { freePorts } from './ports.ts'
import { type Program, startProgram } from './processes.ts'
import { giveTo, type ServerUser } from './server-user.ts'
import type { Store } from './store.ts'
import { until } from './wait.ts'
import { Wire } from './wire.ts'

export interface RaftGroupOptions {
  /** An existing folder that belongs to `user`. */
  readonly folder: string
  readonly user: ServerUser | null
  /** The agent, which also is the voter without PostgreSQL, and its environment. */
  readonly program: string
  readonly env: Readonly<Record<string, string>>
  /** Members that the group begins with. */
  readonly members: number
  /** Voters without PostgreSQL that it has besides. */
  readonly witnesses: number
  /** Messages go by wires of ours, so that `stop` and `freeze` are possible. */
  readonly interruptible: boolean
  /** Certificates with which all of them, and clients, know each other; without them by the password alone. */
  readonly tls: TlsPaths | null
}

/** The place of one voter. */
interface Seat {
  /** Where the others find it. */
  readonly port: number
  /** Where it listens. */
  readonly bindPort: number
}

const MEMORY = '/dev/shm'
const PASSWORD = 'only for tests and demonstrations'
const CALL_MS = 5000
const START_MS = 20_000
const QUIET = { isDebug: false, debug() {}, info() {}, warning() {}, error() {}, critical() {} }
const never = new AbortController().signal

/** The embedded Raft of the members, and a client that looks into it. There is no server of its own. */
export class RaftGroup implements Store {
  readonly kind = 'raft'
  readonly #options: RaftGroupOptions
  readonly #seats: Seat[] = []
  readonly #wires: Wire[] = []
  /** Where the voters keep their copies. */
  readonly #data: string
  readonly #witnesses: Program[] = []
  readonly #sections = new Map<string, ConfigDocument>()
  /** Seats in use; witnesses sit first. */
  #taken: number
  #client: Promise<RaftClient> | null = null
  #isRunning = false

  private constructor(options: RaftGroupOptions) {
    this.#options = options
    // In memory if possible: no machine really loses power here, and a busy disk takes many seconds to sync.
    this.#data = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : options.folder, 'matriarch-raft-'))
    giveTo(options.user, this.#data)
    this.#taken = options.witnesses
  }

  static async create(options: RaftGroupOptions): Promise<RaftGroup> {
    const group = new RaftGroup(options)
    for (let i = 0; i < options.members + options.witnesses; i += 1) await group.#addSeat()
    // The one with the lowest address founds the group: it has to be among those who come first.
    group.#seats.sort((a, b) => a.port - b.port)
    return group
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  get membersNeeded(): number {
    const { members, witnesses } = this.#options
    return Math.max(1, Math.floor((members + witnesses) / 2) + 1 - witnesses)
  }

  async start(): Promise<void> {
    for (const wire of this.#wires) await wire.open()
    this.#isRunning = true
    for (let i = this.#witnesses.length; i < this.#options.witnesses; i += 1) await this.#startWitness(i)
  }

  /** Every member is cut off from every other, and clients from all of them. */
  async stop(): Promise<void> {
    this.#mustBeInterruptible()
    this.#isRunning = false
    for (const wire of this.#wires) await wire.cut()
  }

  freeze(): void {
    this.#mustBeInterruptible()
    for (const wire of this.#wires) wire.silent = true
  }

  thaw(): void {
    for (const wire of this.#wires) wire.silent = false
  }

  async get(key: string): Promise<string | null> {
    const read = await (await this.#open()).read(key, budget())
    if (read.kind === 'unknown') throw new Error(read.reason)
    return read.keys.find((one) => one.key === key)?.value ?? null
  }

  async delete(key: string): Promise<void> {
    const session = new Session(await this.#open())
    const branch = { conditions: [], changes: [{ kind: 'delete', key } as const] }
    const outcome = await session.transact({ branches: [branch] }, budget())
    if (outcome.kind === 'unknown') throw new Error(outcome.reason)
  }

  async sectionFor(folder: string): Promise<ConfigDocument> {
    const known = this.#sections.get(folder)
    if (known) return { raft: known }
    if (this.#taken === this.#seats.length) await this.#addSeat()
    const section = this.#section(this.#taken)
    this.#taken += 1
    this.#sections.set(folder, section)
    return { raft: section }
  }

  forget(config: ConfigDocument): Promise<void> {
    return this.#change('remove', addressIn(config), (seat) => seat === undefined)
  }

  leadFrom(config: ConfigDocument): Promise<void> {
    return this.#change('transfer', addressIn(config), (seat) => seat?.leader === true)
  }

  /** Asks until it is so: while one change is under way, or nobody leads, another one is refused. */
  async #change(
    what: 'remove' | 'transfer',
    address: string,
    isSo: (member: { readonly leader: boolean } | undefined) => boolean,
  ): Promise<void> {
    const client = await this.#open()
    await until(`${what} ${address}`, START_MS, async () => {
      const asked = await client.ask({ do: 'status' }, budget())
      if (asked.kind !== 'answer') return false
      const members = asked.body['members'] as readonly { readonly address: string; readonly leader: boolean }[]
      if (isSo(members.find((member) => member.address === address))) return true
      await client.ask({ do: what, address, hops: 1 }, budget())
      return false
    })
  }

  requestsServed(): Promise<null> {
    return Promise.resolve(null)
  }

  async close(): Promise<void> {
    for (const witness of this.#witnesses) witness.signal('SIGKILL')
    for (const wire of this.#wires) await wire.cut()
    await (await this.#client)?.close()
    rmSync(this.#data, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }

  async #addSeat(): Promise<void> {
    const { interruptible } = this.#options
    const [port = 0, bindPort = port] = await freePorts(interruptible ? 2 : 1)
    this.#seats.push({ port, bindPort })
    if (!interruptible) return
    const wire = new Wire(port, bindPort)
    this.#wires.push(wire)
    if (this.#isRunning) await wire.open()
  }

  #section(index: number): ConfigDocument {
    const own = this.#seats[index]
    if (!own) throw new Error('a voter without a seat')
    const partners = this.#seats.filter((seat) => seat !== own)
    return {
      self_addr: `127.0.0.1:${own.port}`,
      bind_addr: `127.0.0.1:${own.bindPort}`,
      partner_addrs: partners.map(({ port }) => `127.0.0.1:${port}`),
      data_dir: this.#data,
      password: PASSWORD,
      ...this.#options.tls,
    }
  }

  async #startWitness(index: number): Promise<void> {
    const { folder: parent, user, program, env } = this.#options
    const folder = join(parent, `witness${index + 1}`)
    mkdirSync(folder)
    const configFile = join(folder, 'witness.yml')
    writeFileSync(configFile, stringify({ raft: this.#section(index) }), { mode: 0o600 })
    giveTo(user, folder, configFile)
    const logFile = join(folder, 'witness.log')
    const argv = [program, 'raft-controller', configFile]
    this.#witnesses.push(await startProgram(argv, { logFile, cwd: folder, user, env }))
  }

  #open(): Promise<RaftClient> {
    const addresses = this.#seats.map(({ port }) => `127.0.0.1:${port}`)
    const deps = { clock: systemClock, random: systemRandom, log: QUIET }
    const { tls: paths } = this.#options
    const tls = paths && TlsFiles.open(paths, () => {})
    if (typeof tls === 'string') throw new Error(tls)
    this.#client ??= RaftClient.create({ addresses, password: PASSWORD, tls }, deps)
    return this.#client
  }

  #mustBeInterruptible(): void {
    if (!this.#options.interruptible) throw new Error('this Raft group was not made to be interrupted')
  }
}

/** Under which the others know the member with this configuration. */
function addressIn(config: ConfigDocument): string {
  return String((config['raft'] as ConfigDocument)['self_addr'])
}

function budget(): Budget {
  return { deadline: later(systemClock.now(), CALL_MS), signal: never }
}
