import { type Key, section } from './key.ts'

const OPTIONS = { type: ['array', 'object'], items: { type: ['string', 'object'] } } as const

const ROLES = { primary: 'a primary', replica: 'a replica', standby_leader: 'a standby leader' }
const forRoles = (key: string, meaning: (role: string) => string, type: 'mapping' | 'strings'): readonly Key[] =>
  section(
    'postgresql',
    'reload',
    Object.fromEntries(Object.entries(ROLES).map(([role, words]) => [`${key}_${role}`, [meaning(words), { type }]])),
  )

const user = (name: string, whose: string, fallback: string): readonly Key[] =>
  section(`postgresql.authentication.${name}`, 'reload', {
    username: [`User name ${whose}.`, fallback === '' ? {} : { otherwise: fallback }],
    password: ['Its password.', fallback === '' ? { otherwise: 'none is sent' } : { otherwise: fallback }],
    ...Object.fromEntries(LIBPQ.map(([key, meaning]) => [key, [meaning, { type: 'string' }]] as const)),
  })

const LIBPQ: readonly (readonly [string, string])[] = [
  ['sslmode', 'As in libpq: `disable`, `allow`, `prefer`, `require`, `verify-ca`, `verify-full`.'],
  ['sslcert', 'As in libpq: file with the client certificate.'],
  ['sslkey', 'As in libpq: file with its key.'],
  ['sslpassword', 'As in libpq: password of the key.'],
  ['sslrootcert', "As in libpq: file with the authorities of the server's certificate."],
  ['sslcrl', 'As in libpq: file with revoked certificates.'],
  ['sslcrldir', 'As in libpq: directory with revoked certificates.'],
  ['gssencmode', 'As in libpq: `disable`, `prefer`, `require`.'],
  ['channel_binding', 'As in libpq: `disable`, `prefer`, `require`.'],
  ['sslnegotiation', 'As in libpq: `postgres`, `direct`.'],
]

/** The server beside the agent, and how a new cluster is made. */
export const POSTGRESQL_KEYS: readonly Key[] = [
  ...section('postgresql', 'reload', {
    listen: ['Addresses and port of PostgreSQL: `address[,address…]:port`.', { change: 'PostgreSQL' }],
    connect_address: ['Address and port under which others reach it.', { otherwise: 'the address of this host' }],
    proxy_address: 'Address and port of a pooler before it, published as `proxy_url`.',
    data_dir: ['The data directory.', { change: 'agent', type: 'string' }],
    config_dir: [
      'Where the configuration files of PostgreSQL are.',
      { otherwise: '`data_dir`', change: 'agent', type: 'string' },
    ],
    config_base_name: [
      '`<name>.conf` is written, and includes `<name>.base.conf`.',
      { default: 'postgresql', change: 'agent', type: 'string' },
    ],
    bin_dir: [
      'Where the programs of PostgreSQL are.',
      { otherwise: 'looked up in `PATH`', change: 'agent', schema: { type: 'string' } },
    ],
    database: ['Database that the agent connects to.', { default: 'postgres', change: 'agent', type: 'string' }],
    pgpass: [
      'File that the agent writes for programs that need a password.',
      { otherwise: '`$HOME/pgpass`', change: 'agent', type: 'string' },
    ],
    use_unix_socket: [
      'The agent connects to its own server through a Unix socket.',
      { default: false, type: 'boolean' },
    ],
    use_unix_socket_repl: ['So do connections for replication.', { default: false, type: 'boolean' }],
    parameters:
      'Parameters of PostgreSQL; those that must be alike in the cluster count only in the dynamic configuration.',
  }),
  ...section('postgresql.parameters', 'PostgreSQL', {
    unix_socket_directories: 'Where its Unix sockets are.',
  }),
  ...forRoles('parameters', (role) => `Parameters over those, while this member is ${role}.`, 'mapping'),
  ...section('postgresql', 'reload', {
    pg_hba: ['The lines of pg_hba.conf.', { otherwise: 'the file stays as it is' }],
    pg_ident: ['The lines of pg_ident.conf.', { otherwise: 'the file stays as it is' }],
  }),
  ...forRoles('pg_hba', (role) => `The lines of pg_hba.conf while this member is ${role}.`, 'strings'),
  ...forRoles('pg_ident', (role) => `The lines of pg_ident.conf while this member is ${role}.`, 'strings'),
  ...section('postgresql', 'reload', {
    custom_conf: ['A file that is included instead of `<name>.base.conf`.', { type: 'string' }],
    recovery_conf: [
      'Further recovery parameters of standbys, such as `restore_command`.',
      { default: {}, type: 'mapping' },
    ],
    krbsrvname: ['Name of the Kerberos service.', { type: 'string' }],
    create_replica_methods: [
      'How a new member is made: names of methods in the order of trying.',
      { default: ['basebackup'], type: 'strings' },
    ],
    create_replica_method: ['Older spelling of it.', { type: 'strings' }],
    basebackup: 'Options of pg_basebackup: a list or a mapping.',
    rewind: 'Options of pg_rewind: a list or a mapping.',
    use_pg_rewind: ['A former primary may be rewound rather than copied anew.', { default: false }],
    remove_data_directory_on_rewind_failure: ['If that fails it is copied anew.', { default: false, type: 'boolean' }],
    remove_data_directory_on_diverged_timelines: [
      'A server that has diverged and can not be rewound is copied anew.',
      { default: false, type: 'boolean' },
    ],
    pg_ctl_timeout: ['Seconds that a start may take before the agent goes on with its cycle.', { default: 60 }],
    pre_promote: [
      'Command that runs before a promotion; if it fails, the member does not become primary.',
      { type: 'string' },
    ],
    before_stop: ['Command that runs before each stop.', { type: 'string' }],
    use_slots: ['Has no effect here: see the dynamic configuration.', { type: 'boolean' }],
  }),
  ...user('superuser', 'of the agent in PostgreSQL', ''),
  ...user('replication', 'of standbys and base backups', ''),
  ...user('rewind', 'of pg_rewind, from PostgreSQL 11 on', 'those of the superuser'),
  ...section(
    'postgresql.bin_name',
    'reload',
    Object.fromEntries(
      ['pg_ctl', 'initdb', 'pg_controldata', 'pg_basebackup', 'postgres', 'pg_isready', 'pg_rewind'].map((tool) => [
        tool,
        [`Another name of the program ${tool}.`, { default: tool, schema: { type: 'string' } }],
      ]),
    ),
  ),
  ...section('postgresql.callbacks', 'reload', {
    on_start: ['Command after a start; it gets action, role and scope.', { type: 'string' }],
    on_stop: ['Command after a stop.', { type: 'string' }],
    on_restart: ['Command after a restart.', { type: 'string' }],
    on_reload: ['Command after a reload.', { type: 'string' }],
    on_role_change: ['Command after this member has become primary, or no longer is.', { type: 'string' }],
  }),
  ...section('postgresql.<method>', 'reload', {
    command: [
      'Command of a method in `create_replica_methods`.',
      { otherwise: 'the name of the method', type: 'string' },
    ],
    keep_data: ['The data directory is not emptied before.', { default: false, type: 'boolean' }],
    no_leader: ['The method also works while no member is running.', { default: false, type: 'boolean' }],
    no_params: [
      'The command gets no `--scope`, `--role`, `--datadir`, `--connstring`.',
      { default: false, type: 'boolean' },
    ],
    '<name>': ['Passed on as `--<name>=<value>`.', { type: 'string' }],
  }),
]

export const BOOTSTRAP_KEYS: readonly Key[] = section('bootstrap', 'new cluster', {
  dcs: 'The first dynamic configuration of a new cluster.',
  method: ['How a new cluster is made: `initdb`, or the name of a section with a `command`.', { default: 'initdb' }],
  initdb: ['Options of initdb: a list or a mapping.', { schema: OPTIONS }],
  post_bootstrap: ['Command that runs after a cluster was made; it gets a connection string.', { type: 'string' }],
  post_init: ['Another spelling of it.', { type: 'string' }],
  pg_hba: ['Lines for pg_hba.conf, where `postgresql.pg_hba` is not set.', { default: [], type: 'strings' }],
  '<method>.command': ['Command that makes the data directory.', { type: 'string' }],
  '<method>.no_params': ['It gets no `--scope` and `--datadir`.', { default: false, type: 'boolean' }],
  '<method>.keep_existing_recovery_conf': [
    'Recovery settings that it leaves are kept.',
    { default: false, type: 'boolean' },
  ],
  '<method>.recovery_conf': ['Recovery parameters for the first start.', { type: 'mapping' }],
  '<method>.<name>': ['Passed on as `--<name>=<value>`.', { type: 'string' }],
})
