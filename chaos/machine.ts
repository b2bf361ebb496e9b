import { existsSync } from 'node:fs'
import { filterScript } from './network.ts'
import { command } from './shell.ts'

/** What this machine lets us do. A text is the reason why not. */
export interface Machine {
  readonly namespaces: true | string
  /** Filters that drop packets: partitions and loss. */
  readonly filter: true | string
  /** `tc netem`: packets come later. */
  readonly delay: true | string
  /** `tc tbf`: a slow link. */
  readonly throttle: true | string
  /** Mounting a file system in memory: a disk that can be full. */
  readonly disk: true | string
  /** The library of faketime; `null`: there is none. */
  readonly clock: true | string
  readonly faketime: string | null
}

/** Tries each of them in a namespace of its own. */
export async function lookAtMachine(scratch: string): Promise<Machine> {
  if (process.getuid?.() !== 0) return nothing('only root may make network namespaces')
  const name = `mc${process.pid}probe`
  try {
    await command(['ip', 'netns', 'add', name])
  } catch (error) {
    return nothing(reasonOf(error))
  }
  const inside = (...argv: string[]): readonly string[] => ['nsenter', `--net=/run/netns/${name}`, ...argv]
  try {
    const script = filterScript([{ from: 'somebody', to: 'probe', share: 0.5 }], () => '127.0.0.1')
    const filter = await permitted(inside('nft', '-f', '-'), script)
    const onLoopback = (...words: string[]): readonly string[] =>
      inside('tc', 'qdisc', 'replace', 'dev', 'lo', 'root', ...words)
    const delay = await permitted(onLoopback('netem', 'delay', '10ms'))
    const throttle = await permitted(onLoopback('tbf', 'rate', '1mbit', 'burst', '10k', 'latency', '50ms'))
    const disk = await permitted(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', scratch])
    if (disk === true) await command(['umount', scratch])
    const faketime = libraryOfFaketime()
    const clock = faketime === null ? 'libfaketime is not installed' : (true as const)
    return { namespaces: true, filter, delay, throttle, disk, clock, faketime }
  } finally {
    await command(['ip', 'netns', 'del', name])
  }
}

function nothing(reason: string): Machine {
  return {
    namespaces: reason,
    filter: reason,
    delay: reason,
    throttle: reason,
    disk: reason,
    clock: reason,
    faketime: null,
  }
}

async function permitted(argv: readonly string[], stdin = ''): Promise<true | string> {
  try {
    await command(argv, stdin)
    return true
  } catch (error) {
    return reasonOf(error)
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Where Debian and Fedora put it. */
function libraryOfFaketime(): string | null {
  const places = [`/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`, '/usr/lib64', '/usr/lib']
  return places.map((folder) => `${folder}/faketime/libfaketime.so.1`).find(existsSync) ?? null
}
