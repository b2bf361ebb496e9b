import { type Environment, readEnvironment } from './environment.ts'
import { type ConfigFiles, realFiles } from './files.ts'
import { type LocalOutcome, loadLocal, minimalProblems } from './local.ts'

export interface LoadRequest {
  readonly path: string | null
  /** The process environment as it was at start, or what was read from it then. */
  readonly env: Readonly<Record<string, string | undefined>> | Environment
  readonly files?: ConfigFiles
}

/**
 * Reads the local configuration for an agent, at start and at each reload: as `loadLocal`, and what is found must not be
 * empty nor have the reserved name (spec configuration.md 2.1).
 */
export async function loadConfiguration({ path, env, files = realFiles }: LoadRequest): Promise<LocalOutcome> {
  const environment = isEnvironment(env) ? env : readEnvironment(env)
  const outcome = await loadLocal({ path, environment, files })
  if (outcome.kind === 'broken') return outcome
  const pathIsMissing = path !== null && (await files.kind(path).catch(() => 'other')) === 'missing'
  const problems = minimalProblems(outcome.local.document, pathIsMissing ? path : null)
  return problems.length > 0 ? { kind: 'broken', problems, exitCode: 1 } : outcome
}

function isEnvironment(env: LoadRequest['env']): env is Environment {
  return 'consumed' in env && Array.isArray(env.consumed)
}
