import { openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { ReadStream } from 'node:tty'
import type { Terminal } from './terminal.ts'

export interface Streams {
  readonly input: ReadStream
  readonly output: NodeJS.WriteStream
  readonly error: NodeJS.WriteStream
}

/**
 * The terminal, or the pipes in its place. A pipe is read by one reader that lasts, so that lines that came together
 * answer several prompts; a terminal is held only while a question is open, so that an editor or a pager can have it.
 */
export function processTerminal(streams: Streams, onInterrupt: () => void): Terminal {
  const { input, output, error } = streams

  const isTerminal = input.isTTY
  let piped: PipedLines | null = null
  return {
    isInteractive: output.isTTY,
    showsProgress: error.isTTY,
    get width() {
      return output.isTTY ? output.columns : undefined
    },
    write: (text) => void output.write(text),
    writeError: (text) => void error.write(text),
    readLine: (question) => {
      if (isTerminal) return askTerminal(streams, question, onInterrupt)
      output.write(question)
      piped ??= new PipedLines(input)
      return piped.next()
    },
    readSecret: async (question) => {
      const terminal = isTerminal ? input : controllingTerminal()
      if (terminal) return askHidden(terminal, output, question, onInterrupt)
      error.write('Warning: Password input may be echoed.\n')
      output.write(question)
      piped ??= new PipedLines(input)
      return piped.next()
    },
    readAll: async () => {
      let text = ''
      input.setEncoding('utf8')
      for await (const chunk of input) text += String(chunk)
      return text
    },
  }
}

/** Lines of a pipe, kept until somebody asks for them. */
class PipedLines {
  readonly #lines: string[] = []
  readonly #waiting: ((line: string | null) => void)[] = []
  #ended = false

  constructor(input: NodeJS.ReadStream) {
    const reader = createInterface({ input, terminal: false, crlfDelay: Number.POSITIVE_INFINITY })
    reader.on('line', (line) => {
      const waiting = this.#waiting.shift()
      if (waiting) waiting(line)
      else this.#lines.push(line)
    })
    reader.on('close', () => {
      this.#ended = true
      for (const waiting of this.#waiting.splice(0)) waiting(null)
    })
  }

  next(): Promise<string | null> {
    const line = this.#lines.shift()
    if (line !== undefined) return Promise.resolve(line)
    if (this.#ended) return Promise.resolve(null)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

function askTerminal(streams: Streams, question: string, onInterrupt: () => void): Promise<string | null> {
  const reader = createInterface({
    input: streams.input,
    output: streams.output,
    terminal: streams.output.isTTY,
    historySize: 0,
  })
  return new Promise((resolve) => {
    let answer: string | null = null
    reader.on('SIGINT', onInterrupt)
    reader.on('close', () => resolve(answer))
    reader.question(question, (line) => {
      answer = line
      reader.close()
    })
  })
}

/** Passwords are typed there even where standard input is a pipe. */
function controllingTerminal(): ReadStream | null {
  try {
    return new ReadStream(openSync('/dev/tty', 'r'))
  } catch {
    return null
  }
}

/** In raw mode nobody shows what is typed, and nobody but us understands the keys that end it. */
async function askHidden(
  terminal: ReadStream,
  output: NodeJS.WriteStream,
  question: string,
  onInterrupt: () => void,
): Promise<string | null> {
  output.write(question)
  terminal.setRawMode(true)
  try {
    return await new Promise((resolve) => {
      let typed = ''
      terminal.on('data', (chunk: Buffer | string) => {
        for (const key of String(chunk)) {
          if (key === '\u0003') onInterrupt()
          else if (key === '\r' || key === '\n') resolve(typed)
          else if (key === '\u0004') resolve(typed === '' ? null : typed)
          else if (key === '\u007f' || key === '\b') typed = typed.slice(0, -1)
          else typed += key
        }
      })
    })
  } finally {
    terminal.removeAllListeners('data')
    terminal.setRawMode(false)
    terminal.pause()
    output.write('\n')
  }
}
