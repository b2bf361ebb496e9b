import { LEVELS } from './levels.ts'
import { type LogRecord, threadOf } from './record.ts'
import { defaultTime, strftime } from './strftime.ts'

/** What a format may say about a record (spec configuration.md 13.1). */
export interface AttributeContext {
  readonly pid: number
  readonly startedAtMs: number
  /** strftime pattern; `null`: the default with milliseconds. */
  readonly dateFormat: string | null
}

type Attribute = (record: LogRecord, context: AttributeContext) => string | number

const lastPart = (text: string, separator: string): string => text.slice(text.lastIndexOf(separator) + 1)
const pathOf = (record: LogRecord): string => record.place?.path ?? record.name.replaceAll('.', '/')

export const ATTRIBUTES: Readonly<Record<string, Attribute>> = {
  asctime: (record, { dateFormat }) =>
    dateFormat === null ? defaultTime(record.wallMs) : strftime(dateFormat, record.wallMs),
  created: (record) => record.wallMs / 1000,
  filename: (record) => lastPart(pathOf(record), '/'),
  funcName: (record) => record.place?.functionName ?? '<module>',
  levelname: (record) => record.level,
  levelno: (record) => LEVELS[record.level],
  lineno: (record) => record.place?.line ?? 0,
  message: (record) => record.message,
  module: (record) => lastPart(record.name, '.'),
  msecs: (record) => Math.floor(record.wallMs) % 1000,
  name: (record) => record.name,
  pathname: pathOf,
  process: (_, { pid }) => pid,
  processName: () => 'MainProcess',
  relativeCreated: (record, { startedAtMs }) => record.wallMs - startedAtMs,
  thread: (_, { pid }) => pid,
  threadName: (record) => threadOf(record.name),
}

/** Attributes that need to know who called: finding that out is slow, so it is done only when asked for. */
export const PLACE_ATTRIBUTES: ReadonlySet<string> = new Set(['filename', 'funcName', 'lineno', 'pathname'])
