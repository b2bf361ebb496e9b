import { Aborted } from '../errors.ts'
import type { Terminal } from './terminal.ts'

/** Reads one line, verbatim. Empty input takes `fallback`; without one the question is put again (spec ctl.md 1.3). */
export async function askText(terminal: Terminal, question: string, fallback?: string): Promise<string> {
  for (;;) {
    const answer = await line(terminal, `${question}${fallback === undefined ? '' : ` [${fallback}]`}: `)
    if (answer !== '') return answer
    if (fallback !== undefined) return fallback
  }
}

export async function askInteger(terminal: Terminal, question: string): Promise<number> {
  for (;;) {
    const answer = await askText(terminal, question)
    if (/^\s*[-+]?\d+\s*$/.test(answer)) return Number(answer)
    terminal.write(`Error: '${answer}' is not a valid integer.\n`)
  }
}

/** Yes or no; nothing typed means no. */
export async function confirm(terminal: Terminal, question: string): Promise<boolean> {
  for (;;) {
    const answer = (await line(terminal, `${question} [y/N]: `)).trim().toLowerCase()
    if (answer === 'y' || answer === 'yes') return true
    if (answer === 'n' || answer === 'no' || answer === '') return false
    terminal.write('Error: invalid input\n')
  }
}

export async function askSecret(terminal: Terminal, question: string): Promise<string> {
  for (;;) {
    const answer = await terminal.readSecret(`${question}: `)
    if (answer === null) throw new Aborted()
    if (answer !== '') return answer
  }
}

async function line(terminal: Terminal, question: string): Promise<string> {
  const answer = await terminal.readLine(question)
  if (answer === null) throw new Aborted()
  return answer
}
