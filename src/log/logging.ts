import type { LogConfig } from '../config/types.ts'
import type { Log } from '../ports/log.ts'
import { type Formatter, formatterFor } from './formatter.ts'
import { HeartbeatFilter } from './heartbeat.ts'
import { LEVELS, type LevelName, LevelTable } from './levels.ts'
import type { LogRecord, Place } from './record.ts'
import { RotatingFile } from './rotating-file.ts'
import type { Sink } from './sink.ts'
import { stderrSink } from './stderr-sink.ts'
import { QueueWriter } from './writer.ts'

export interface LoggingDeps {
  /** Wall clock in milliseconds. */
  readonly wallMs: () => number
  readonly pid: number
  /** Permission bits of log files where the configuration has none: 0666 without the umask the agent was started with. */
  readonly fileMode: number
  /** Standard error, unless a test wants to see it. */
  readonly stderr?: Sink
}

export type ReconfigureOutcome =
  | { readonly kind: 'ok' }
  /** Nothing was changed. At start: exit 1; at a reload: the reload is given up (spec configuration.md 3.2). */
  | { readonly kind: 'broken'; readonly reason: string }

/** `full`: the log hangs and its queue is full, exit code 5 (spec configuration.md 11.4). `late`: not all was written. */
export type FlushOutcome = 'written' | 'late' | 'full'

export interface Logging {
  /** The log of a component: `ha`, `api`, `dcs.etcd3`, `postgresql.config`, … named `patroni.<component>` in records. */
  log(component: string): Log
  /** Applies a changed section `log` while running. Odd formats are told as warnings in the log itself. */
  reconfigure(config: LogConfig): Promise<ReconfigureOutcome>
  /** Writes what is queued, for at most `limitMs`. */
  flush(limitMs?: number): Promise<FlushOutcome>
  queueSize(): number
  recordsLost(): number
}

/** Everything that one `reconfigure` changes together. */
interface Settings {
  readonly config: LogConfig
  readonly levels: LevelTable
  readonly formatter: Formatter
}

/** Starts logging with `config`, which must have a valid format and go to standard error; see `EARLY_LOG`. */
export function createLogging(config: LogConfig, deps: LoggingDeps): Logging {
  return new LoggingSystem(config, deps)
}

class LoggingSystem implements Logging {
  readonly #deps: LoggingDeps
  readonly #startedAtMs: number
  readonly #heartbeats = new HeartbeatFilter()
  readonly #logs = new Map<string, Log>()
  #settings: Settings
  #writer: QueueWriter
  /** Earlier destinations that still write what was meant for them. */
  #finishing: Promise<void> = Promise.resolve()
  #lostBefore = 0

  constructor(config: LogConfig, deps: LoggingDeps) {
    this.#deps = deps
    this.#startedAtMs = deps.wallMs()
    const made = this.#settingsFor(config)
    if (made.kind === 'broken') throw new Error(made.reason)
    this.#settings = made.settings
    this.#writer = this.#writerFor(deps.stderr ?? stderrSink(), config)
  }

  log(component: string): Log {
    const known = this.#logs.get(component)
    if (known) return known
    const name = component === '' ? 'patroni' : `patroni.${component}`
    const tell =
      (level: LevelName) =>
      (text: string): void =>
        this.#tell(level, name, text)
    const isDebug = (): boolean => this.#settings.levels.of(name) <= LEVELS.DEBUG
    const log: Log = {
      get isDebug() {
        return isDebug()
      },
      debug: tell('DEBUG'),
      info: tell('INFO'),
      warning: tell('WARNING'),
      error: (text, cause) =>
        cause === undefined ? this.#tell('ERROR', name, text) : this.#exception(name, text, cause),
      critical: tell('CRITICAL'),
    }
    this.#logs.set(component, log)
    return log
  }

  async reconfigure(config: LogConfig): Promise<ReconfigureOutcome> {
    const made = this.#settingsFor(config)
    if (made.kind === 'broken') return made
    const before = this.#settings.config
    const destination = ({ dir, mode, fileNum, fileSize }: LogConfig): string =>
      JSON.stringify(dir === null ? null : [dir, mode, fileNum, fileSize])
    if (destination(before) !== destination(config)) {
      const sink = await this.#open(config)
      if (sink.kind === 'broken') return sink
      this.#printHeld()
      const old = this.#writer
      this.#lostBefore += old.lostEver
      this.#finishing = Promise.all([this.#finishing, old.finish()]).then(() => undefined)
      this.#writer = this.#writerFor(sink.sink, config)
    }
    this.#printHeld()
    this.#settings = made.settings
    this.#writer.setLimit(config.maxQueueSize)
    for (const warning of made.warnings) this.#tell('WARNING', 'patroni.log', warning)
    return { kind: 'ok' }
  }

  async flush(limitMs = 5000): Promise<FlushOutcome> {
    this.#printHeld()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), limitMs)
    })
    const outcome = await Promise.race([this.#allWritten(), late])
    clearTimeout(timer)
    if (outcome === 'written') return outcome
    return this.#writer.isFull ? 'full' : 'late'
  }

  queueSize(): number {
    return this.#writer.size
  }

  recordsLost(): number {
    return this.#lostBefore + this.#writer.lostEver
  }

  async #allWritten(): Promise<'written'> {
    await this.#finishing
    await this.#writer.drained()
    return 'written'
  }

  #writerFor(sink: Sink, config: LogConfig): QueueWriter {
    return new QueueWriter(sink, config.maxQueueSize, (lost) =>
      this.#settings.formatter.format(
        this.#record('WARNING', 'patroni.log', `QueueHandler has lost ${lost} log records`, null),
      ),
    )
  }

  #settingsFor(
    config: LogConfig,
  ):
    | { readonly kind: 'ok'; readonly settings: Settings; readonly warnings: readonly string[] }
    | { readonly kind: 'broken'; readonly reason: string } {
    const made = formatterFor(config, { pid: this.#deps.pid, startedAtMs: this.#startedAtMs })
    if (made.kind === 'broken') return made
    const levels = new LevelTable(config.level, config.loggers)
    return { kind: 'ok', settings: { config, levels, formatter: made.formatter }, warnings: made.warnings }
  }

  async #open(
    config: LogConfig,
  ): Promise<{ readonly kind: 'ok'; readonly sink: Sink } | { readonly kind: 'broken'; readonly reason: string }> {
    const { dir, mode, fileNum, fileSize } = config
    if (dir === null) return { kind: 'ok', sink: this.#deps.stderr ?? stderrSink() }
    try {
      return {
        kind: 'ok',
        sink: await RotatingFile.open({ dir, mode: mode ?? this.#deps.fileMode, fileNum, fileSize }),
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return { kind: 'broken', reason: `log.dir: cannot write to ${dir}/patroni.log (${code ?? 'unknown error'})` }
    }
  }

  #tell(level: LevelName, name: string, message: string, trace: string | null = null): void {
    const { config, levels, formatter } = this.#settings
    if (LEVELS[level] < levels.of(name)) return
    const record = this.#record(level, name, message, trace, formatter.needsPlace ? callerPlace() : null)
    if (levels.root !== LEVELS.INFO) this.#print(record)
    else for (const one of this.#heartbeats.pass(record, config.deduplicateHeartbeatLogs)) this.#print(one)
  }

  /** An error with its cause: with a stack trace, or in one line (spec configuration.md 13.4). */
  #exception(name: string, text: string, cause: unknown): void {
    const { config, levels } = this.#settings
    if (config.tracebackLevel === 'ERROR') this.#tell('ERROR', name, text, traceOf(cause))
    else if (levels.of(name) <= LEVELS.DEBUG) this.#tell('DEBUG', name, text, traceOf(cause))
    else this.#tell('ERROR', name, `${text}, DETAIL: '${messageOf(cause)}'`)
  }

  #record(
    level: LevelName,
    name: string,
    message: string,
    trace: string | null,
    place: Place | null = null,
  ): LogRecord {
    return { wallMs: this.#deps.wallMs(), level, name, message, trace, place }
  }

  #print(record: LogRecord): void {
    this.#writer.add(this.#settings.formatter.format(record))
  }

  #printHeld(): void {
    for (const record of this.#heartbeats.release()) this.#print(record)
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

function traceOf(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
}

/** The first caller outside this file. */
function callerPlace(): Place | null {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 8
  const { stack = '' } = new Error()
  Error.stackTraceLimit = limit
  const frames = stack.split('\n').slice(1)
  const own = /\((.*):\d+:\d+\)$|at (.*):\d+:\d+$/.exec(frames[0] ?? '')
  const ownPath = own?.[1] ?? own?.[2] ?? ''
  const caller = frames.find((frame) => !frame.includes(`${ownPath}:`)) ?? frames[3]
  const match = /at (?:(?:async )?(.*?) \()?(?:file:\/\/)?(.*?):(\d+):\d+\)?$/.exec(caller ?? '')
  if (!match?.[2]) return null
  return { path: match[2], line: Number(match[3]), functionName: match[1] ?? '<module>' }
}
