import { join, resolve } from 'node:path'
import { isObject, type JsonObject } from '../cluster/json.ts'
import { parseBool, parseReal } from '../cluster/values.ts'
import type { Section } from './section.ts'
import type { PgUser, PostgresqlConfig } from './types.ts'

/** Where the agent runs: what relative paths and `~` refer to. */
export interface Place {
  readonly cwd: string
  readonly home: string
}

/** Mappings of the section that are no replica method. */
const OWN_MAPPINGS = new Set([
  'parameters',
  'parameters_primary',
  'parameters_replica',
  'parameters_standby_leader',
  'authentication',
  'bin_name',
  'callbacks',
  'recovery_conf',
  'rewind',
  'citus',
])

/** Section `postgresql` as merged (spec configuration.md 3.6). */
export function postgresqlConfig(postgresql: Section, place: Place): PostgresqlConfig {
  const authentication = postgresql.section('authentication')
  const dataDir = resolve(place.cwd, postgresql.required('data_dir'))
  const replication = userConfig(authentication.section('replication'))
  if (replication.username === null) authentication.section('replication').fatal('username', 'is not defined.')
  const methods = postgresql.list('create_replica_methods') ?? []
  const older = postgresql.list('create_replica_method') ?? []
  return {
    listen: postgresql.required('listen'),
    connectAddress: postgresql.text('connect_address'),
    proxyAddress: postgresql.text('proxy_address'),
    dataDir,
    configDir: resolve(place.cwd, postgresql.text('config_dir') ?? dataDir),
    configBaseName: postgresql.text('config_base_name') ?? 'postgresql',
    binDir: postgresql.text('bin_dir') ?? '',
    binName: postgresql.textMap('bin_name'),
    database: postgresql.text('database') ?? 'postgres',
    pgpass: postgresql.text('pgpass') ?? join(place.home, 'pgpass'),
    useUnixSocket: postgresql.flag('use_unix_socket'),
    useUnixSocketRepl: postgresql.flag('use_unix_socket_repl'),
    parameters: postgresql.mapping('parameters'),
    pgHba: postgresql.list('pg_hba'),
    pgIdent: postgresql.list('pg_ident'),
    customConf: postgresql.text('custom_conf'),
    recoveryConf: postgresql.mapping('recovery_conf'),
    superuser: userConfig(authentication.section('superuser')),
    replication,
    rewind: authentication.get('rewind') === undefined ? null : userConfig(authentication.section('rewind')),
    krbsrvname: postgresql.text('krbsrvname'),
    callbacks: postgresql.textMap('callbacks'),
    createReplicaMethods: [methods, older, ['basebackup']].find((list) => list.length > 0) ?? [],
    methodSections: methodSections(postgresql.document),
    basebackup: postgresql.get('basebackup') ?? null,
    rewindOptions: postgresql.get('rewind') ?? null,
    useRewind: postgresql.flag('use_pg_rewind'),
    removeOnRewindFailure: postgresql.flag('remove_data_directory_on_rewind_failure'),
    removeOnDivergedTimelines: postgresql.flag('remove_data_directory_on_diverged_timelines'),
    pgCtlTimeoutMs: (parseReal(postgresql.get('pg_ctl_timeout')) ?? 60) * 1000,
    prePromote: postgresql.text('pre_promote'),
    beforeStop: postgresql.text('before_stop'),
    useSlots: parseBool(postgresql.get('use_slots')) ?? true,
    section: postgresql.document,
  }
}

function userConfig(user: Section): PgUser {
  const options = Object.keys(user.document).filter((key) => key !== 'username' && key !== 'password')
  return {
    username: user.text('username'),
    password: user.text('password'),
    options: Object.fromEntries(
      options.flatMap((key) => {
        const value = user.text(key)
        return value === null ? [] : [[key, value]]
      }),
    ),
  }
}

function methodSections(section: JsonObject): Readonly<Record<string, JsonObject>> {
  const mappings = Object.entries(section).filter((entry): entry is [string, JsonObject] => isObject(entry[1]))
  return Object.fromEntries(mappings.filter(([name]) => !OWN_MAPPINGS.has(name)))
}
