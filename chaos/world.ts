import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { Cluster } from '../lab/cluster.ts'
import type { Host } from '../lab/host.ts'
import type { ConfigDocument, Member, Timing } from '../lab/member.ts'
import { serverUser } from '../lab/server-user.ts'
import type { Mode } from './checker.ts'
import { signalHost } from './host-processes.ts'
import type { Machine } from './machine.ts'
import { Network } from './network.ts'
import { command } from './shell.ts'

export const MEMBERS = ['n1', 'n2', 'n3'] as const
/** As the lab calls them. */
export const STORES = ['etcd1', 'etcd2', 'etcd3'] as const
/** What a failover may lose in asynchronous mode, bytes. */
export const MAXIMUM_LAG = 1_048_576
/**
 * Of the file system in memory on which a member has its data: what PostgreSQL needs, and what an hour of WAL on dozens of
 * timelines may take that is kept for a member which is away.
 */
const DISK_MB = 640
const DISK_MB_A_MINUTE = 40

export interface WorldOptions {
  readonly mode: Mode
  readonly timing: Timing
  readonly machine: Machine
  /** How long it will be used, as far as that is known. */
  readonly lengthMs?: number
}

/** Three members and three store servers, each on a host of its own, and what can be done to the hosts. */
export class World {
  readonly cluster: Cluster
  readonly network: Network
  readonly #disks: string[] = []

  private constructor(cluster: Cluster, network: Network) {
    this.cluster = cluster
    this.network = network
  }

  static async create({ mode, timing, machine, lengthMs = 0 }: WorldOptions): Promise<World> {
    const network = await Network.open()
    const hosts = new Map<string, Host>()
    try {
      for (const name of [...STORES, ...MEMBERS]) hosts.set(name, await network.addHost(name))
      const host = (name: string): Host => hosts.get(name) as Host
      const cluster = await Cluster.create({
        checkout: process.cwd(),
        scope: 'chaos',
        members: MEMBERS,
        store: 'etcd3',
        timing,
        purpose: 'chaos',
        dcs: dynamicConfig(mode, timing),
        storeHosts: STORES.map(host),
        placeOf: (name, folder) => ({
          host: host(name),
          dataDir: join(diskOf(folder), 'data'),
          ...(machine.faketime === null ? {} : { env: fakeTime(machine.faketime, folder) }),
        }),
      })
      const world = new World(cluster, network)
      for (const member of cluster.members) await world.#prepare(member, machine, lengthMs)
      return world
    } catch (error) {
      await network.close()
      throw error
    }
  }

  namespaceOf(name: string): string {
    return this.network.namespaceOf(name)
  }

  /** Steps the clock by which a member tells the time of day; the clock of its deadlines goes on as it did. */
  setClock(member: Member, offsetSeconds: number): void {
    const sign = offsetSeconds < 0 ? '-' : '+'
    writeFileSync(clockFile(member.folder), `${sign}${Math.abs(offsetSeconds)}\n`)
  }

  /** Leaves not a single block free on a member's disk. @returns what frees them */
  async fillDisk(member: Member): Promise<() => Promise<void>> {
    const disk = diskOf(member.folder)
    const ballast = join(disk, 'ballast')
    // Nearly all of it is only reserved, for speed; then what is left.
    const { bavail, bsize } = await statfs(disk)
    await command(['fallocate', '-l', String(Math.max(1, bavail * bsize - 2 ** 20)), ballast])
    await command(['sh', '-c', `cat /dev/zero >> '${ballast}' 2>/dev/null || true`])
    return async () => void (await command(['rm', '-f', ballast]))
  }

  /** Ends everything; `keep` leaves the folder with logs and journals. */
  async close({ keep }: { readonly keep: boolean }): Promise<void> {
    for (const name of [...MEMBERS, ...STORES]) signalHost(this.namespaceOf(name), 'SIGKILL')
    await this.cluster.kill()
    for (const disk of this.#disks) await command(['umount', '-l', disk])
    await this.network.close()
    if (!keep) await this.cluster.destroy()
  }

  async #prepare(member: Member, machine: Machine, lengthMs: number): Promise<void> {
    const disk = diskOf(member.folder)
    mkdirSync(disk, { recursive: true })
    chmodSync(member.folder, 0o755)
    if (machine.disk === true) {
      const sizeMb = DISK_MB + Math.ceil((lengthMs / 60_000) * DISK_MB_A_MINUTE)
      await command(['mount', '-t', 'tmpfs', '-o', `size=${sizeMb}m,mode=0755`, 'none', disk])
      this.#disks.push(disk)
    }
    const user = serverUser()
    if (user) for (const path of [member.folder, disk]) chownSync(path, user.uid, user.gid)
    this.setClock(member, 0)
    // What was done and why is wanted above all when the disk is full.
    member.config['journal'] = { dir: join(member.folder, 'journal') }
  }
}

function diskOf(memberFolder: string): string {
  return join(memberFolder, 'disk')
}

function clockFile(memberFolder: string): string {
  return join(memberFolder, 'clock')
}

function fakeTime(library: string, memberFolder: string): Readonly<Record<string, string>> {
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: clockFile(memberFolder),
    FAKETIME_CACHE_DURATION: '1',
    DONT_FAKE_MONOTONIC: '1',
  }
}

function dynamicConfig(mode: Mode, timing: Timing): ConfigDocument {
  return {
    maximum_lag_on_failover: MAXIMUM_LAG,
    ...(mode === 'async' ? {} : { synchronous_mode: mode === 'quorum' ? 'quorum' : true }),
    postgresql: {
      use_pg_rewind: true,
      parameters: {
        wal_log_hints: 'on',
        shared_buffers: '16MB',
        // Commits that wait for a standby keep their connections, and clients come anew.
        max_connections: 500,
        min_wal_size: '80MB',
        max_wal_size: '160MB',
        // With PostgreSQL's 60 s a standby that vanished without a word holds synchronous commits up for a minute.
        wal_sender_timeout: `${Math.ceil(timing.ttl / 2)}s`,
        wal_receiver_timeout: `${Math.ceil(timing.ttl / 2)}s`,
      },
    },
  }
}
