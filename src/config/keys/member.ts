import { section } from './key.ts'

const LEVELS = 'DEBUG, INFO, WARNING, ERROR, CRITICAL'

/** Who this member is, and what it does besides keeping PostgreSQL. */
export const MEMBER_KEYS = [
  ...section('', 'agent', {
    scope: 'Name of the cluster, the same for all its members.',
    namespace: ['Where clusters are in the store: `/<namespace>/<scope>/`.', { default: 'service', type: 'string' }],
    name: 'Name of this member; no other member of the cluster, or of a standby cluster of it, has the same.',
    thread_pool_size: ['Accepted and without effect: there are no threads.', { default: 5 }],
    thread_stack_size: ['Accepted and without effect.', { default: 524288, type: 'integer' }],
  }),
  ...section('log', 'reload', {
    type: ['Lines of text, or one JSON object for each line.', { default: 'plain' }],
    level: ['The least severe messages that are logged.', { default: 'INFO' }],
    traceback_level: ['With `DEBUG`, stack traces are logged only if the level is DEBUG.', { default: 'ERROR' }],
    format: [
      'How a line looks: text with `%(asctime)s` and the like, or for JSON a list of attributes, each a name or `{attribute: name of the field}`.',
      {
        default: '%(asctime)s %(levelname)s: %(message)s',
        schema: { type: ['string', 'array'], items: { type: ['string', 'object'] }, minItems: 1 },
      },
    ],
    dateformat: ['How the time is printed, as for strftime.', { otherwise: 'ISO, with milliseconds' }],
    static_fields: ['Fields that each JSON line gets.', { default: {} }],
    max_queue_size: [
      'How many lines may wait to be written; what comes on top is lost and counted.',
      { default: 1000 },
    ],
    dir: ['An existing directory: the log goes into `patroni.log` there and no longer to standard error.', {}],
    mode: ['Permissions of the log files; write octal as `0644`.', { otherwise: '0666 without the umask' }],
    file_num: ['How many older log files are kept.', { default: 4 }],
    file_size: ['Bytes after which a new log file begins.', { default: 25_000_000 }],
    loggers: [`Levels of parts of the program, name to level (${LEVELS}).`, { default: {} }],
    deduplicate_heartbeat_logs: [
      'Of lines "no action" that are the same as before, only the first is logged.',
      { default: false },
    ],
  }),
  ...section('watchdog', 'reload', {
    mode: [
      'Whether a primary needs the watchdog device (`required`), uses it if it can (`automatic`), or not.',
      { default: 'automatic', schema: { enum: ['off', 'automatic', 'required', false] } },
    ],
    device: ['Path of the device.', { default: '/dev/watchdog' }],
    safety_margin: [
      'Seconds between the reset by the device and the end of the lease; -1: half of `ttl`.',
      { default: 5 },
    ],
    driver: [
      '`testing` writes to a pipe what would be told to a device.',
      { default: 'default', schema: { enum: ['default', 'testing'] } },
    ],
  }),
  ...section('fence', 'agent', {
    mode: [
      'The lease guard: it ends a primary whose agent no longer renews its lease. Unknown to Patroni.',
      { default: 'on', schema: { enum: ['on', 'off', true, false] } },
    ],
    safety_margin: [
      'Seconds between the end of PostgreSQL and the end of the lease.',
      { default: 1, schema: { type: 'integer', minimum: 0 } },
    ],
  }),
  ...section('journal', 'agent', {
    dir: [
      'Where the journal is, outside of the data directory. Unknown to Patroni.',
      { otherwise: '`<data_dir>.journal`', type: 'string' },
    ],
    size: [
      'Bytes that its files may take together, at least 1048576; 0: none is written.',
      { default: 16_777_216, schema: { type: 'integer', minimum: 0 } },
    ],
  }),
  ...section('tags', 'reload', {
    nofailover: ['This member never becomes primary.', { default: false }],
    failover_priority: ['Of members that are equally far, the highest becomes primary; 0: never.', { default: 1 }],
    noloadbalance: ['`GET /replica` answers 503, so that no balancer sends queries here.', { default: false }],
    clonefrom: ['New members may copy from this one rather than from the primary.', { default: false }],
    nosync: ['This member never is a synchronous standby.', { default: false }],
    sync_priority: [
      'Of members that could be synchronous standbys the highest is preferred; 0: never.',
      { default: 1 },
    ],
    replicatefrom: 'Name of the member to copy from instead of the leader: a cascade.',
    nostream: ['This member replays from the archive alone, and never becomes primary.', { default: false }],
    '<name>': ['Any other tag: published, shown by `list`, and a filter of health checks.', { type: 'any' }],
  }),
  ...section('citus', 'agent', {
    group: 'Number of the group in a Citus cluster; 0 is the coordinator.',
    database: 'The database in which Citus is installed.',
  }),
]
