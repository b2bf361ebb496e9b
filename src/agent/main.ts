import { MINIMUM_GUARDED_TIMING, MINIMUM_TIMING, type Timing } from '../cluster/settings.ts'
import { VERSION } from '../cluster/version.ts'
import { loadCache } from '../config/cache.ts'
import { loadConfiguration } from '../config/configuration.ts'
import { effectiveConfig } from '../config/effective.ts'
import { readEnvironment } from '../config/environment.ts'
import { type LocalConfiguration, printProblem } from '../config/local.ts'
import type { Config, Problem } from '../config/types.ts'
import { systemClock } from '../system/clock.ts'
import { keepHeapSmall } from '../system/garbage.ts'
import { type Arguments, readArguments, USAGE } from './arguments.ts'
import { assemble } from './assemble.ts'
import { hasGuard } from './guard.ts'
import { type ConfigOrigin, place, tellProblems } from './settings-source.ts'
import { survivor } from './survival.ts'

/** Exit code: the log hangs and its queue is full. */
const LOG_IS_STUCK = 5

/** The agent's program. @returns the exit code (spec configuration.md 11.4) */
export async function main(argv: readonly string[]): Promise<number> {
  const read = readArguments(argv)
  if (typeof read === 'string') {
    process.stderr.write(`${USAGE.split('\n')[0]}\nmatriarch: error: ${read}\n`)
    return 2
  }
  switch (read.mode) {
    case 'help':
      process.stdout.write(USAGE)
      return 0
    case 'version':
      process.stdout.write(`matriarch ${VERSION}\n`)
      return 0
    case 'validate':
      return validate(read)
    case 'sample':
    case 'generate':
      return generated(read)
    case 'explain': {
      const { explain } = await import('./explain.ts')
      return explain(read.configPath)
    }
    case 'schema': {
      const { configurationSchema } = await import('../config/validation/schema.ts')
      process.stdout.write(`${JSON.stringify(configurationSchema(), null, 2)}\n`)
      return 0
    }
    case 'run':
      keepHeapSmall()
      return run(read)
    case 'raft-controller': {
      keepHeapSmall()
      const { runController } = await import('./raft-controller.ts')
      return runController(read.configPath)
    }
  }
}

async function generated(args: Arguments): Promise<number> {
  const { generateConfiguration } = await import('./generate.ts')
  return generateConfiguration(args)
}

async function validate(args: Arguments): Promise<number> {
  const { validateConfiguration } = await import('../config/validate.ts')
  return validateConfiguration(args)
}

async function run(args: Arguments): Promise<number> {
  const environment = readEnvironment(process.env)
  for (const variable of environment.consumed) delete process.env[variable]
  const origin: ConfigOrigin = { path: args.configPath, environment }
  const loaded = await loadConfiguration({ path: args.configPath, env: environment })
  if (loaded.kind === 'broken') return complain(loaded.problems, loaded.exitCode)
  const first = effectiveConfig({ local: loaded.local, dynamic: {}, previous: null, place: place() })
  if (first.kind === 'broken') return complain(first.problems, first.exitCode)
  const minimumTiming = hasGuard(first.config) ? MINIMUM_GUARDED_TIMING : MINIMUM_TIMING
  const initial = await initialDynamic(first.config)
  const effective = effectiveConfig({
    local: loaded.local,
    dynamic: initial.dynamic,
    previous: null,
    place: place(),
    minimumTiming,
  })
  if (effective.kind === 'broken') return complain(effective.problems, effective.exitCode)
  const warnings = [...effective.warnings, ...initial.warnings]
  return start(effective.config, loaded.local, origin, { minimumTiming, warnings })
}

/** What is in force before the store was read: the copy of the last time, else what a new cluster would begin with. */
async function initialDynamic(config: Config): Promise<{ dynamic: Config['dynamic']; warnings: readonly Problem[] }> {
  const cached = await loadCache(config.postgresql.dataDir)
  if (cached.kind === 'document') return { dynamic: cached.document, warnings: [] }
  const dynamic = config.bootstrap?.dcs ?? {}
  if (cached.kind === 'none') return { dynamic, warnings: [] }
  const warning: Problem = { severity: 'error', key: '', message: cached.reason, file: null, line: null }
  return { dynamic, warnings: [warning] }
}

async function start(
  config: Config,
  local: LocalConfiguration,
  origin: ConfigOrigin,
  { minimumTiming, warnings }: { readonly minimumTiming: Timing; readonly warnings: readonly Problem[] },
): Promise<number> {
  const assembled = await assemble(config, local, origin, minimumTiming)
  if (assembled.kind === 'problems') return complain(assembled.problems, 1)
  const { agent, log } = assembled
  tellProblems(log.log('config'), warnings)
  process.on('SIGHUP', agent.requestReload)
  process.on('SIGTERM', agent.terminate)
  process.on('SIGINT', agent.terminate)
  const survive = survivor(log.log('agent'), () => systemClock.now())
  process.on('uncaughtException', survive)
  process.on('unhandledRejection', survive)
  const exit = await agent.run().catch((error: unknown) => {
    log.log('agent').critical(`The agent ends: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  })
  return (await log.flush()) === 'full' && exit === 0 ? LOG_IS_STUCK : exit
}

function complain(problems: readonly Problem[], exitCode: number): number {
  for (const problem of problems) process.stderr.write(`${printProblem(problem)}\n`)
  return exitCode
}

void main(process.argv.slice(2)).then(
  (exit) => process.exit(exit),
  (error: unknown) => {
    process.stderr.write(`matriarch: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
