import { type Role, roleClass } from '../../cluster/instance.ts'
import type { LaunchPlan } from '../parts.ts'
import type { ServerVersion } from '../version.ts'
import { checkDirectories } from './directories.ts'
import { type Parameters, valueOf, withParameters } from './parameters.ts'
import { commandLineOptions, needsColdRecovery, raisedForStandby, type ServerParameters } from './server-parameters.ts'
import type { ConfigurationDependencies, ConfigurationWriter } from './writer.ts'

export function listening(writer: ConfigurationWriter): Omit<LaunchPlan, 'options'> {
  const { parameters } = writer.inForce()
  return {
    listenAddresses: valueOf(parameters, 'listen_addresses') ?? '',
    port: valueOf(parameters, 'port') ?? '5432',
    unixSocketDirectories: valueOf(parameters, 'unix_socket_directories') ?? null,
  }
}

/**
 * Writes everything that a start reads (spec postgres.md 1.5 steps 4 and 5).
 * @returns `null`: it must not, or cannot, be started now; the log says why
 */
export async function prepareStart(
  deps: ConfigurationDependencies,
  writer: ConfigurationWriter,
  role: Role,
  signal: AbortSignal,
): Promise<LaunchPlan | null> {
  const { state } = writer
  const version = writer.majorVersion()
  if (version === 0) return null
  const forbidden = await deps.startForbidden?.(state.recovery?.primaryConninfo != null)
  if (forbidden) {
    deps.log.error(forbidden)
    return null
  }
  state.raised = {}
  const computed = writer.compute(role, version)
  const parameters = await raised(deps, writer, computed, role, version, signal)
  state.effective = { ...computed, parameters }
  state.pendingRestart = state.raised
  const problems = await checkDirectories(writer.config(role), parameters)
  for (const problem of problems) deps.log.error(problem)
  if (problems.length > 0) return null
  await writer.writeMain(role, signal)
  await writer.writeAccess(role)
  return { options: commandLineOptions(parameters), ...listening(writer) }
}

async function raised(
  deps: ConfigurationDependencies,
  { state }: ConfigurationWriter,
  computed: ServerParameters,
  role: Role,
  version: ServerVersion,
  signal: AbortSignal,
): Promise<Parameters> {
  if (roleClass(role) === 'primary') return computed.parameters
  const control = await deps.server().controlData(signal)
  const result = raisedForStandby(computed.parameters, control?.items ?? {}, version)
  for (const { level, text } of result.messages) deps.log[level](text)
  state.raised = result.pendingRestart
  const isCold = state.custom !== null && needsColdRecovery(state.custom, version)
  return isCold ? withParameters(result.parameters, { hot_standby: 'off' }) : result.parameters
}
