import type { JsonObject } from '../cluster/json.ts'
import { isObject } from '../cluster/json.ts'
import { localWarnings } from './effective.ts'
import { readEnvironment } from './environment.ts'
import { type ConfigFiles, realFiles } from './files.ts'
import { loadLocal, printProblem } from './local.ts'
import type { Issue } from './validation/check.ts'
import { configurationIssues } from './validation/schema.ts'
import { realWorld, type World } from './validation/world.ts'
import { printYaml } from './yaml-print.ts'

export interface ValidationRequest {
  readonly configPath: string | null
  /** Ports that are in use are no error. */
  readonly ignoreListenPort: boolean
  /** Print the merged configuration when it is right. */
  readonly print: boolean
}

/** What the check prints, and its exit code: 0 right, 1 wrong. */
export interface ValidationResult {
  readonly exitCode: 0 | 1
  readonly stdout: string
  readonly stderr: string
}

export interface ValidationMeans {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly files: ConfigFiles
  readonly world: World
}

/** `--validate-config`: checks, prints and @returns the exit code (spec configuration.md 9). */
export async function validateConfiguration(request: ValidationRequest): Promise<number> {
  const result = await validation(request, { env: process.env, files: realFiles, world: realWorld })
  process.stdout.write(result.stdout)
  process.stderr.write(result.stderr)
  return result.exitCode
}

export async function validation(request: ValidationRequest, means: ValidationMeans): Promise<ValidationResult> {
  const environment = readEnvironment(means.env)
  const loaded = await loadLocal({ path: request.configPath, environment, files: means.files })
  if (loaded.kind === 'broken') return failed(loaded.problems.map(printProblem))
  const { local } = loaded
  const { ignoreListenPort } = request
  const issues = await configurationIssues(local.document, {
    world: means.world,
    ignoreListenPort,
    document: local.document,
  })
  if (issues.length > 0) return failed(issues.map(printIssue))
  const warnings = localWarnings(local).map(printProblem)
  return {
    exitCode: 0,
    stdout: request.print ? printYaml(withBinDir(local.document), { width: 80 }) : '',
    stderr: warnings.map((warning) => `warning: ${warning}\n`).join(''),
  }
}

function failed(lines: readonly string[]): ValidationResult {
  return { exitCode: 1, stdout: '', stderr: `${lines.join('\n')}\n` }
}

const SECRET = /^(password|keyfile_password|key_password|token|sslpassword|auth|auth_data)$/

/** `<dotted.path> <value> <message>`; the value of a secret is not shown. */
function printIssue({ path, shown, message }: Issue): string {
  const secret = shown !== '' && path.some((key) => SECRET.test(key))
  return `${path.join('.')} ${secret ? '***' : shown} ${message}`
}

function withBinDir(document: JsonObject): JsonObject {
  const postgresql = document['postgresql']
  return isObject(postgresql) ? { ...document, postgresql: { bin_dir: '', ...postgresql } } : document
}
