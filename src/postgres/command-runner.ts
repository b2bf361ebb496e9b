import { type ChildProcess, spawn } from 'node:child_process'
import { later } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'
import { childEnvironment } from './environment.ts'
import type { CommandRunner, RunOptions, RunResult } from './parts.ts'
import { killTree, type ProcessTable, signalProcess } from './process-table.ts'

/** More output than this is cut: only an operator reads it. */
const OUTPUT_LIMIT = 8 * 1024 * 1024
/** From SIGTERM to SIGKILL (spec postgres.md 1.13). */
const TERMINATION_GRACE_MS = 10_000
/** A daemon that the command leaves behind may hold its output open for ever; what came until then is the output. */
const OUTPUT_GRACE_MS = 500

/** Runs commands as children of the agent (spec postgres.md 1.13). */
export function commandRunner(clock: Clock, table: ProcessTable): CommandRunner {
  return { run: (argv, options) => run(argv, options, clock, table) }
}

async function run(
  argv: readonly string[],
  options: RunOptions,
  clock: Clock,
  table: ProcessTable,
): Promise<RunResult> {
  const { signal } = options
  const [program, ...args] = argv
  if (signal.aborted) return { code: null, stdout: '', stderr: '', failure: 'cancelled' }
  if (!program) return { code: null, stdout: '', stderr: 'the command is empty', failure: 'not-started' }
  const output = options.inheritOutput ? 'inherit' : 'pipe'
  let child: ChildProcess
  try {
    child = spawn(program, args, {
      env: childEnvironment(process.env, options.env),
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', output, options.onErrorLine ? 'pipe' : output],
    })
  } catch (error) {
    // Arguments that no process can be given, such as text with a zero byte.
    return { code: null, stdout: '', stderr: (error as Error).message, failure: 'not-started' }
  }
  const stdout = collect(child.stdout)
  const { onErrorLine } = options
  const stderr = onErrorLine ? followLines(child.stderr, onErrorLine) : collect(child.stderr)
  child.stdin?.on('error', () => {}) // It ended without reading all of it: its exit code tells the story.
  child.stdin?.end(options.stdin)

  const ended = end(child)
  const finished = new AbortController()
  const cancel = (): void => void terminate(child, clock, table, finished.signal)
  signal.addEventListener('abort', cancel, { once: true })
  const result = await ended
  signal.removeEventListener('abort', cancel)
  finished.abort()
  if (result.kind === 'error') return { code: null, stdout: '', stderr: result.message, failure: 'not-started' }
  await Promise.race([
    Promise.all([stdout.done, stderr.done]),
    clock.sleep(OUTPUT_GRACE_MS, new AbortController().signal),
  ])
  child.stdout?.destroy()
  child.stderr?.destroy()
  const texts = { stdout: stdout.text(), stderr: stderr.text() }
  if (signal.aborted && result.code !== 0) return { code: null, ...texts, failure: 'cancelled' }
  return { code: result.code, ...texts, failure: result.code === null ? 'killed' : null }
}

type End =
  | { readonly kind: 'exit'; readonly code: number | null }
  | { readonly kind: 'error'; readonly message: string }

function end(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ kind: 'error', message: error.message }))
    child.once('exit', (code) => resolve({ kind: 'exit', code }))
  })
}

async function terminate(child: ChildProcess, clock: Clock, table: ProcessTable, finished: AbortSignal): Promise<void> {
  const identity = child.pid === undefined ? null : table.stat(child.pid)
  if (!identity) return
  signalProcess(identity.pid, 'SIGTERM')
  const grace = clock.deadline(later(clock.now(), TERMINATION_GRACE_MS), finished)
  await clock.sleep(TERMINATION_GRACE_MS, grace.signal)
  grace.done()
  if (!finished.aborted) killTree(table, identity)
}

interface Collected {
  text(): string
  readonly done: Promise<void>
}

/** A line that does not end is handed over in pieces of this many characters. */
const LINE_MAX = 64 * 1024

/** Lines are handed over as they come; nothing is collected. */
function followLines(stream: NodeJS.ReadableStream | null, take: (line: string) => boolean): Collected {
  if (!stream) return { text: () => '', done: Promise.resolve() }
  let rest = ''
  const hand = (line: string): void => {
    if (!take(line)) process.stderr.write(`${line}\n`)
  }
  stream.setEncoding('utf8')
  stream.on('data', (piece: string) => {
    const lines = (rest + piece).split(/\r\n|\r(?!$)|\n/)
    rest = lines.pop() ?? ''
    for (const line of lines) hand(line)
    if (rest.length < LINE_MAX) return
    hand(rest)
    rest = ''
  })
  const atEnd = (): void => {
    if (rest !== '') hand(rest.replace(/\r$/, ''))
    rest = ''
  }
  return { text: () => '', done: closed(stream).then(atEnd) }
}

/** An output that breaks is an output that has ended: the exit code tells the story. */
function closed(stream: NodeJS.ReadableStream): Promise<void> {
  return new Promise((resolve) => {
    stream.on('close', resolve)
    stream.on('error', () => resolve())
  })
}

function collect(stream: NodeJS.ReadableStream | null): Collected {
  if (!stream) return { text: () => '', done: Promise.resolve() }
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    if (size < OUTPUT_LIMIT) chunks.push(chunk)
    size += chunk.length
  })
  return {
    text: () => Buffer.concat(chunks).toString('utf8'),
    done: closed(stream),
  }
}
