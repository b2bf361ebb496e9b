import { existsSync } from 'node:fs'
import type { Host } from '../lab/host.ts'
import { signalHost } from './host-processes.ts'
import { command } from './shell.ts'

/** Packets from one host to another are dropped: all (`share` 1) or by chance. One direction only. */
export interface Drop {
  readonly from: string
  readonly to: string
  readonly share: number
}

/** How the packets that a host sends are slowed down. */
export type Slowness =
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'throttle'; readonly kbit: number }

/**
 * Hosts as network namespaces on one bridge. Clients are outside: they reach every host at all times, so that whatever
 * a host does that the others no longer see, they do see.
 */
export class Network {
  readonly #id: string
  readonly #subnet: string
  readonly #hosts = new Map<string, Host>()
  readonly #drops = new Map<object, readonly Drop[]>()
  #filtering: Promise<void> = Promise.resolve()

  private constructor(id: string, subnet: string) {
    this.#id = id
    this.#subnet = subnet
  }

  /** A bridge with a network that nothing else on this machine uses. */
  static async open(): Promise<Network> {
    await removeLeftOvers()
    const routes = await command(['ip', '-o', 'route'])
    const subnet = Array.from({ length: 250 }, (_, i) => `10.213.${(process.pid + i) % 250}`).find(
      (candidate) => !routes.includes(`${candidate}.`),
    )
    if (!subnet) throw new Error('no free network below 10.213.0.0/16')
    const network = new Network(`mc${process.pid}`, subnet)
    await command(['ip', 'link', 'add', network.#bridge, 'type', 'bridge'])
    await command(['ip', 'address', 'add', `${subnet}.1/24`, 'dev', network.#bridge])
    await command(['ip', 'link', 'set', network.#bridge, 'up'])
    return network
  }

  get #bridge(): string {
    return `${this.#id}b`
  }

  async addHost(name: string): Promise<Host> {
    const namespace = `${this.#id}${name}`
    const host: Host = { address: `${this.#subnet}.${11 + this.#hosts.size}`, namespace }
    await command(['ip', 'netns', 'add', namespace])
    this.#hosts.set(name, host)
    await command(['ip', 'link', 'add', namespace, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace])
    await command(['ip', 'link', 'set', namespace, 'master', this.#bridge, 'up'])
    await command(['ip', '-n', namespace, 'address', 'add', `${host.address}/24`, 'dev', 'eth0'])
    await command(['ip', '-n', namespace, 'link', 'set', 'eth0', 'up'])
    await command(['ip', '-n', namespace, 'link', 'set', 'lo', 'up'])
    return host
  }

  namespaceOf(name: string): string {
    return `${this.#host(name).namespace}`
  }

  /** @returns what ends it */
  async drop(drops: readonly Drop[]): Promise<() => Promise<void>> {
    const key = {}
    this.#drops.set(key, drops)
    await this.#filter()
    return async () => {
      this.#drops.delete(key)
      await this.#filter()
    }
  }

  /** Every packet arrives again. */
  async restore(): Promise<void> {
    this.#drops.clear()
    await this.#filter()
  }

  /** @returns what ends it */
  async slow(name: string, slowness: Slowness): Promise<() => Promise<void>> {
    const { namespace } = this.#host(name)
    const discipline =
      slowness.kind === 'delay'
        ? ['netem', 'delay', `${slowness.ms}ms`, `${Math.round(slowness.ms / 4)}ms`]
        : ['tbf', 'rate', `${slowness.kbit}kbit`, 'burst', '4k', 'latency', '400ms']
    await command(['tc', '-n', `${namespace}`, 'qdisc', 'replace', 'dev', 'eth0', 'root', ...discipline])
    return async () => void (await command(['tc', '-n', `${namespace}`, 'qdisc', 'del', 'dev', 'eth0', 'root']))
  }

  /** Ends the network; the processes in it have ended. */
  async close(): Promise<void> {
    for (const { namespace } of this.#hosts.values()) await command(['ip', 'netns', 'del', `${namespace}`])
    await command(['ip', 'link', 'del', this.#bridge])
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name)
    if (!host) throw new Error(`no host ${name}`)
    return host
  }

  /** One after the other: two faults may begin at the same time. */
  #filter(): Promise<void> {
    const next = this.#filtering.then(async () => {
      const drops = [...this.#drops.values()].flat()
      for (const [name, { namespace }] of this.#hosts) {
        const script = filterScript(
          drops.filter(({ to }) => to === name),
          (from) => this.#host(from).address,
        )
        await command(['nsenter', `--net=/run/netns/${namespace}`, 'nft', '-f', '-'], script)
      }
    })
    this.#filtering = next.catch(() => {})
    return next
  }
}

/** Hosts of a run that was killed, with what still runs on them; their names begin with the number of its process. */
async function removeLeftOvers(): Promise<void> {
  const names = (await command(['ip', 'netns', 'list'])).split('\n').map((line) => line.split(' ')[0] ?? '')
  for (const name of names) {
    const pid = /^mc(\d+)/.exec(name)?.[1]
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue
    signalHost(name, 'SIGKILL')
    await command(['ip', 'netns', 'del', name])
    await command(['ip', 'link', 'del', `mc${pid}b`]).catch(() => {})
  }
}

/** What a host does with the packets that reach it: nftables replaces the whole table at once. */
export function filterScript(drops: readonly Drop[], addressOf: (host: string) => string): string {
  const rules = drops.map(({ from, share }) => {
    const chance = share >= 1 ? '' : ` numgen random mod 1000 < ${Math.round(share * 1000)}`
    return `    ip saddr ${addressOf(from)}${chance} drop`
  })
  return [
    'table inet chaos',
    'delete table inet chaos',
    'table inet chaos {',
    '  chain arriving {',
    '    type filter hook input priority 0;',
    ...rules,
    '  }',
    '}',
    '',
  ].join('\n')
}
