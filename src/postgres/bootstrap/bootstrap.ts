import type { JsonObject } from '../../cluster/json.ts'
import { later } from '../../cluster/time.ts'
import { isTruthy, textForm } from '../../cluster/values.ts'
import type { Config } from '../../config/types.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { commandWords } from '../command-words.ts'
import type { Configuration } from '../configuration/configuration.ts'
import { printConninfo } from '../conninfo.ts'
import { errorText } from '../files.ts'
import type {
  Binaries,
  CommandRunner,
  InstanceMemory,
  PasswordFile,
  Server,
  SqlConnection,
  SqlConnector,
} from '../parts.ts'
import type { WorkNote } from '../unfinished-work.ts'
import { customArguments, customBootstrapOf, customMethod } from './custom.ts'
import { runInitdb } from './initdb.ts'
import {
  QUIET_STATEMENTS,
  RESET_STATEMENTS,
  type RoleStatements,
  replicaUserStatements,
  type Secret,
  superuserStatements,
} from './roles.ts'
import { scramSecret } from './scram.ts'

export interface BootstrapDependencies {
  readonly config: () => Config
  readonly configuration: Configuration
  readonly memory: InstanceMemory
  readonly server: () => Server
  readonly connector: SqlConnector
  readonly runner: CommandRunner
  readonly binaries: Binaries
  readonly passwordFile: PasswordFile
  readonly clock: Clock
  readonly log: Log
  readonly note: () => WorkNote
}

/** Makes the first member of a new cluster (spec postgres.md 4). */
export interface Bootstrap {
  hasSection(): boolean
  /** The new or restored cluster, started. @returns false: it failed, the state says where */
  bootstrap(signal: AbortSignal): Promise<boolean>
  /** Users and the operator's script, once it is a primary. @returns false: the cluster must not be opened */
  postBootstrap(signal: AbortSignal): Promise<boolean>
}

const ROLE_LIMIT_MS = 60_000

export function createBootstrap(deps: BootstrapDependencies): Bootstrap {
  const { configuration, memory, log, runner, clock } = deps
  let custom = false

  async function makeByScript(method: JsonObject, config: Config, signal: AbortSignal): Promise<boolean> {
    memory.setState('running custom bootstrap script')
    const words = commandWords('Custom bootstrap script', textForm(method['command']), log)
    const argv = words && [...words, ...customArguments(method, config)]
    log.info(`Running custom bootstrap script: ${argv?.join(' ') ?? ''}`)
    const result = argv && (await runner.run(argv, { inheritOutput: true, signal }))
    if (result?.code !== 0) {
      log.error(`Custom bootstrap script failed: ${result?.failure ?? `exit code ${result?.code ?? 'unknown'}`}`)
      memory.setState('custom bootstrap failed')
      return false
    }
    const state = customBootstrapOf(method)
    await configuration.adoptCopy(signal)
    if (state.recoveryConf) await configuration.putExactRecovery(state.recoveryConf)
    else if (!state.keepExistingRecoveryConf) await configuration.removeRecoverySettings()
    return true
  }

  /** A data directory that was never finished is of no use to the next agent, if we are killed meanwhile. */
  async function noted(make: () => Promise<boolean>): Promise<boolean> {
    try {
      await deps.note().write({ kind: 'copy' })
    } catch (error) {
      log.error(errorText(error))
      return false
    }
    const made = await make()
    await deps.note().remove()
    return made
  }

  async function makeByInitdb(config: Config, signal: AbortSignal): Promise<boolean> {
    memory.setState('initializing new cluster')
    if (await runInitdb(config, runner, deps.binaries, log, signal)) return true
    memory.setState('initdb failed')
    return false
  }

  async function bootstrap(signal: AbortSignal): Promise<boolean> {
    const config = deps.config()
    const method = customMethod(config)
    custom = method !== null
    if (!(await noted(() => (method ? makeByScript(method, config, signal) : makeByInitdb(config, signal)))))
      return false
    await configuration.appendBootstrapHba(config.bootstrap?.pgHba ?? [])
    await configuration.backupConfiguration()
    if (method) configuration.beginCustomBootstrap(customBootstrapOf(method))
    const outcome = await deps.server().start({ timeoutMs: null, callback: false, customBootstrap: custom }, signal)
    return outcome !== 'failed'
  }

  /** @returns whether the role is as wanted now; the statement itself is never shown, it holds a password */
  async function ensureRole(sql: SqlConnection, wanted: RoleStatements, signal: AbortSignal): Promise<boolean> {
    const run = (statement: string) => sql.query(statement, [], { deadline: later(clock.now(), ROLE_LIMIT_MS), signal })
    for (const statement of QUIET_STATEMENTS) await run(statement)
    let done = true
    for (const statement of wanted.statements) {
      const outcome = await run(statement)
      if (outcome.kind !== 'rows') {
        const why = outcome.kind === 'error' ? `${outcome.message} (${outcome.sqlState})` : outcome.reason
        log.error(`Failed to create or alter role ${wanted.role}: ${why}`)
        done = false
        break
      }
    }
    for (const statement of RESET_STATEMENTS) await run(statement)
    return done
  }

  /** Whether the server would make a SCRAM secret of a password: then we can do it. */
  async function secretFor(sql: SqlConnection, signal: AbortSignal): Promise<Secret> {
    const deadline = later(clock.now(), ROLE_LIMIT_MS)
    const outcome = await sql.query(`SELECT pg_catalog.current_setting('password_encryption') AS encryption`, [], {
      deadline,
      signal,
    })
    const isScram = outcome.kind === 'rows' && outcome.rows[0]?.['encryption'] === 'scram-sha-256'
    return (password) => (isScram ? scramSecret(password) : null) ?? password
  }

  async function runScript(config: Config, signal: AbortSignal): Promise<boolean> {
    const command = config.bootstrap?.postBootstrap
    if (!command) return true
    const keywords = deps.server().superuserKeywords()
    const { password: _hidden, ...open } = keywords
    const words = commandWords('post_bootstrap', command, log)
    if (!words) return false
    const passfile = await deps.passwordFile.temporary({ ...keywords, host: keywords['host'] || 'localhost' })
    try {
      const result = await runner.run([...words, printConninfo(open, configuration.majorVersion())], {
        env: {
          PGOPTIONS: '-c synchronous_commit=local -c statement_timeout=0',
          ...(passfile ? { PGPASSFILE: passfile.path } : {}),
        },
        inheritOutput: true,
        signal,
      })
      if (result.code === 0) return true
      if (result.code === null) log.error(`post_init script ${command} failed: ${result.failure ?? result.stderr}`)
      else log.error(`post_init script ${command} returned non-zero code ${result.code}`)
      return false
    } finally {
      await passfile?.remove()
    }
  }

  async function finishCustom(signal: AbortSignal): Promise<boolean> {
    const server = deps.server()
    const wanted = await configuration.finishCustomBootstrap(signal)
    if (wanted === 'restart') return (await server.restart(null, { callback: false }, signal)) !== 'failed'
    server.reload({ callback: false })
    // the next connection has to log in with the passwords set above, under the rules just written
    await clock.sleep(1000, signal)
    server.sql.close()
    return true
  }

  async function postBootstrap(signal: AbortSignal): Promise<boolean> {
    const config = deps.config()
    const server = deps.server()
    const options = '-c synchronous_commit=local -c statement_timeout=0 -c search_path=pg_catalog'
    const sql = deps.connector.connection({ ...server.superuserKeywords(), options })
    try {
      const secret = await secretFor(sql, signal)
      const superuser = superuserStatements(config, secret)
      if (superuser && !(await ensureRole(sql, superuser, signal))) return false
      if (!(await runScript(config, signal))) return false
      for (const role of replicaUserStatements(config, server.version, secret))
        if (!(await ensureRole(sql, role, signal))) return false
    } finally {
      sql.close()
    }
    if (isTruthy(sectionUsers(config)))
      log.error(
        'User creation is not be supported starting from v4.0.0. ' +
          'Please use "bootstrap.post_bootstrap" script to create users.',
      )
    if (!custom) return true
    custom = false
    return finishCustom(signal)
  }

  return { hasSection: () => deps.config().bootstrap !== null, bootstrap, postBootstrap }
}

function sectionUsers(config: Config) {
  const section = config.document['bootstrap']
  return typeof section === 'object' && section !== null && !Array.isArray(section)
    ? (section as JsonObject)['users']
    : null
}
