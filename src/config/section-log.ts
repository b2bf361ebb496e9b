import type { Section } from './section.ts'
import type { LogConfig } from './types.ts'

export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARN', 'WARNING', 'ERROR', 'FATAL', 'CRITICAL', 'NOTSET']
export const DEFAULT_LOG_FORMAT = '%(asctime)s %(levelname)s: %(message)s'

/** In force until the configuration is read (spec configuration.md 13.3). */
export const EARLY_LOG: LogConfig = {
  type: 'plain',
  level: 'DEBUG',
  tracebackLevel: 'ERROR',
  format: DEFAULT_LOG_FORMAT,
  dateFormat: null,
  staticFields: {},
  maxQueueSize: 1000,
  dir: null,
  mode: null,
  fileNum: 4,
  fileSize: 25_000_000,
  loggers: {},
  deduplicateHeartbeatLogs: false,
}

/** Section `log` (spec configuration.md 3.2). */
export function logConfig(log: Section): LogConfig {
  const level = log.text('level') ?? 'INFO'
  if (!isLevel(level)) log.fatal('level', `is not a log level; one of ${LOG_LEVELS.join(' ')} is expected`)
  const loggers = log.textMap('loggers')
  for (const [name, one] of Object.entries(loggers))
    if (!isLevel(one)) log.fatal('loggers', `the level of ${name} is not one of ${LOG_LEVELS.join(' ')}`)
  const queue = log.get('max_queue_size') ?? 1000
  if (typeof queue !== 'number' || !Number.isInteger(queue)) log.fatal('max_queue_size', 'is not an integer')
  const type = log.text('type') ?? 'plain'
  if (type !== 'plain' && type !== 'json') log.warning('type', 'is neither plain nor json, using plain')
  const mode = log.get('mode') ?? null
  if (mode !== null && !isMode(mode)) log.warning('mode', 'is not an integer from 0 to 511 (0777), ignored')
  const dateFormat = log.get('dateformat') ?? null
  if (dateFormat !== null && typeof dateFormat !== 'string') log.warning('dateformat', 'is not a string, ignored')
  return {
    type: type === 'json' ? 'json' : 'plain',
    level,
    tracebackLevel: log.text('traceback_level')?.toUpperCase() === 'DEBUG' ? 'DEBUG' : 'ERROR',
    format: log.get('format') ?? DEFAULT_LOG_FORMAT,
    dateFormat: typeof dateFormat === 'string' && dateFormat !== '' ? dateFormat : null,
    staticFields: log.mapping('static_fields'),
    maxQueueSize: typeof queue === 'number' ? queue : 1000,
    dir: log.text('dir'),
    mode: isMode(mode) ? mode : null,
    fileNum: log.integer('file_num', 4),
    fileSize: log.integer('file_size', 25_000_000),
    loggers,
    deduplicateHeartbeatLogs: log.flag('deduplicate_heartbeat_logs'),
  }
}

function isLevel(text: string): boolean {
  return LOG_LEVELS.includes(text) || /^\d+$/.test(text)
}

function isMode(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 511
}
