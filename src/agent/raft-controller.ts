import { isObject } from '../cluster/json.ts'
import { readEnvironment } from '../config/environment.ts'
import { realFiles } from '../config/files.ts'
import { loadLocal, printProblem } from '../config/local.ts'
import { type Finding, Section } from '../config/section.ts'
import { EARLY_LOG, logConfig } from '../config/section-log.ts'
import { storeConfig } from '../config/section-store.ts'
import type { Problem } from '../config/types.ts'
import { parseRaftOptions } from '../dcs/raft/index.ts'
import { createLogging } from '../log/logging.ts'
import { RaftNode } from '../raft/node/node.ts'
import { systemClock } from '../system/clock.ts'
import { systemRandom } from '../system/random.ts'

/** How often it looks whether the member has failed. */
const LOOK_MS = 1000
const WAITING_MS = 5000

/**
 * A voter of the group without a PostgreSQL server, for the third of three places (spec dcs.md 3.8). Of the
 * configuration it needs the section `raft` with `self_addr`, and uses `log`. @returns the exit code
 */
export async function runController(configPath: string | null): Promise<number> {
  const environment = readEnvironment(process.env)
  for (const variable of environment.consumed) delete process.env[variable]
  const loaded = await loadLocal({ path: configPath, environment, files: realFiles })
  if (loaded.kind === 'broken') return complain(loaded.problems)
  const { document } = loaded.local
  const store = storeConfig({ raft: document['raft'] ?? {} })
  const parsed = parseRaftOptions(store.section)
  if (parsed.kind === 'problems') return complain(parsed.problems)
  const { selfAddress, ...rest } = parsed.options
  if (selfAddress === null) return fail('raft.self_addr is missing: a voter needs an address')

  const findings: Finding[] = []
  const section = isObject(document['log']) ? document['log'] : {}
  const config = logConfig(new Section(section, ['log'], findings))
  const fatal = findings.find(({ severity }) => severity === 'fatal')
  if (fatal) return fail(`${fatal.path.join('.')} ${fatal.message}`)
  const logging = createLogging(EARLY_LOG, {
    wallMs: () => systemClock.wallMs(),
    pid: process.pid,
    fileMode: 0o666 & ~process.umask(),
  })
  const configured = await logging.reconfigure(config)
  if (configured.kind === 'broken') return fail(`log: ${configured.reason}`)
  const log = logging.log('raft')

  const end = new AbortController()
  const started = await RaftNode.start({ selfAddress, ...rest }, { clock: systemClock, random: systemRandom, log })
  if (started.kind === 'impossible') {
    log.critical(started.text)
    await logging.flush()
    return 1
  }
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => end.abort())
  process.on('SIGHUP', () => log.info('raft: nothing of the configuration of a voter can be changed while it runs'))
  log.info(`raft: voting as ${selfAddress}`)
  const exit = await watch(started.node, log, end.signal)
  await started.node.stop()
  await logging.flush()
  return exit
}

async function watch(node: RaftNode, log: { info(text: string): void }, signal: AbortSignal): Promise<number> {
  for (let waitedMs = 0; !signal.aborted; waitedMs += LOOK_MS) {
    if (node.failure !== null) return 1
    if (node.arrival.kind !== 'arrived' && waitedMs > 0 && waitedMs % WAITING_MS === 0) log.info('waiting on raft')
    await systemClock.sleep(LOOK_MS, signal)
  }
  return 0
}

function complain(problems: readonly Problem[]): number {
  for (const problem of problems) process.stderr.write(`${printProblem(problem)}\n`)
  return 1
}

function fail(text: string): number {
  process.stderr.write(`matriarch raft-controller: ${text}\n`)
  return 1
}
