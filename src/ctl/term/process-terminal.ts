import { createInterface, type Interface } from 'node:readline'
import type { ReadStream } from 'node:tty'
import type { Terminal } from './terminal.ts'

export interface Streams {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
  readonly error: NodeJS.WriteStream
}

/**
 * The terminal, or the pipes in its place. A pipe is read by one reader that lasts, so that lines that came together
 * answer several prompts; a terminal is held only while a question is open, so that an editor or a pager can have it.
 */
export function processTerminal(streams: Streams, onInterrupt: () => void): Terminal {
  const { input, output, error } = streams
  const isTerminal = Boolean(input.isTTY)
  let piped: PipedLines | null = null
  return {
    isInteractive: Boolean(output.isTTY),
    showsProgress: Boolean(error.isTTY),
    write: (text) => void output.write(text),
    writeError: (text) => void error.write(text),
    readLine: (question) => {
      if (isTerminal) return askTerminal(streams, question, onInterrupt)
      output.write(question)
      piped ??= new PipedLines(input)
      return piped.next()
    },
    readSecret: async (question) => {
      if (isTerminal) return askHidden(streams, question, onInterrupt)
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
  const reader = createInterface({ input: streams.input, output: streams.output, terminal: true, historySize: 0 })
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

/** The echo is off because nobody writes what the reader would show. */
async function askHidden(streams: Streams, question: string, onInterrupt: () => void): Promise<string | null> {
  streams.output.write(question)
  const terminal = streams.input as ReadStream
  const reader: Interface = createInterface({ input: terminal, terminal: false })
  const wasRaw = terminal.isRaw
  terminal.setRawMode(true)
  let typed = ''
  try {
    return await new Promise((resolve) => {
      terminal.on('data', (chunk: Buffer | string) => {
        for (const character of String(chunk)) {
          if (character === '\u0003') onInterrupt()
          else if (character === '\u0004') resolve(typed === '' ? null : typed)
          else if (character === '\r' || character === '\n') resolve(typed)
          else if (character === '\u007f' || character === '\b') typed = typed.slice(0, -1)
          else typed += character
        }
      })
    })
  } finally {
    terminal.removeAllListeners('data')
    terminal.setRawMode(wasRaw)
    reader.close()
    streams.output.write('\n')
  }
}
