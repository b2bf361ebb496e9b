import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import type { Instant } from '../cluster/time.ts'
import type { Clock } from '../ports/clock.ts'
import { withProgress } from './progress.ts'
import { prettyTable } from './table/pretty.ts'
import { processTerminal, type Streams } from './term/process-terminal.ts'
import { askInteger, askText, confirm } from './term/prompts.ts'
import type { Terminal } from './term/terminal.ts'

function piped(input: string): { readonly terminal: Terminal; readonly output: () => string } {
  const stdin = new PassThrough()
  stdin.end(input)
  let text = ''
  const out = new PassThrough()
  out.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const streams = { input: stdin, output: out, error: out } as unknown as Streams
  return { terminal: processTerminal(streams, () => assert.fail()), output: () => text }
}

test('1.3 lines that came together answer one prompt after the other, verbatim', async () => {
  const { terminal, output } = piped('\n two \r\nlast')
  assert.equal(await askText(terminal, 'A', 'x'), 'x')
  assert.equal(await askText(terminal, 'B'), ' two ')
  assert.equal(await askText(terminal, 'C', ''), 'last')
  await assert.rejects(askText(terminal, 'D'))
  assert.equal(output(), 'A [x]: B: C []: D: ')
})

test('1.3 without a default the question is put again; wrong numbers and answers are told', async () => {
  const { terminal, output } = piped('\n\nx\n 7\n maybe\n YES \n')
  assert.equal(await askInteger(terminal, 'Group'), 7)
  assert.equal(await confirm(terminal, 'Sure?'), true)
  assert.equal(
    output(),
    `${'Group: '.repeat(3)}Error: 'x' is not a valid integer.\nGroup: Sure? [y/N]: Error: invalid input\nSure? [y/N]: `,
  )
})

test('4.5 wide characters count two, combining ones none', () => {
  const table = prettyTable(
    [
      { header: 'M', align: 'left' },
      { header: 'N', align: 'right' },
    ],
    [
      ['日本', 'e\u0301'],
      ['abcde', '12'],
    ],
  )
  assert.equal(
    table,
    '+-------+----+\n| M     |  N |\n+-------+----+\n| 日本  |  e\u0301 |\n| abcde | 12 |\n+-------+----+\n',
  )
})

test('4.5 a title that is too long is cut', () => {
  assert.equal(prettyTable([{ header: 'A', align: 'left' }], [], ' Cluster: x '), '+ Cl+\n| A |\n+---+\n+---+\n')
})

test('12.3 a wait is shown on a terminal after a moment, and its line disappears', async () => {
  let now = 0
  let shown = ''
  const steps: (() => void)[] = []
  const clock = {
    now: () => now as Instant,
    sleep: (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true })
        steps.push(() => {
          now += ms
          resolve()
        })
      }),
  } as unknown as Clock
  const terminal = { showsProgress: true, writeError: (text: string) => (shown += text) } as unknown as Terminal
  let finish: (value: string) => void = () => {}
  const work = new Promise<string>((resolve) => (finish = resolve))
  const waiting = withProgress({ terminal, clock }, 'Waiting for db1', 20_000, () => work)
  for (let i = 0; i < 2; i += 1) {
    steps.at(-1)?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  finish('done')
  assert.equal(await waiting, 'done')
  assert.equal(
    shown,
    '\r\u001b[KWaiting for db1, 2 s of at most 20 s\r\u001b[KWaiting for db1, 3 s of at most 20 s\r\u001b[K',
  )
})
