import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Instant } from '../../cluster/time.ts'
import { Complaints } from './complaints.ts'

function notebook() {
  const lines: string[] = []
  const write = (level: string) => (text: string) => void lines.push(`${level} ${text}`)
  const log = {
    debug: write('debug'),
    info: write('info'),
    warning: write('warning'),
    error: write('error'),
    critical: write('critical'),
  }
  let nowMs = 0
  const complaints = new Complaints({ now: () => nowMs as Instant }, log)
  const at = (ms: number, text: string, patienceMs?: number): void => {
    nowMs = ms
    complaints.note('a', text, patienceMs)
  }
  return { lines, complaints, at }
}

test('a trouble is told when it begins and once a minute while it lasts', () => {
  const { lines, complaints, at } = notebook()
  at(0, 'refused')
  at(1000, 'refused')
  at(59_000, 'refused')
  at(61_000, 'refused')
  complaints.over('a', 'fine')
  complaints.over('a', 'fine')
  assert.deepEqual(lines, ['warning refused', 'warning refused', 'info fine'])
})

test('what is to be expected for a while, as members start one after the other, is no warning before it has lasted', () => {
  const { lines, complaints, at } = notebook()
  at(0, 'no connection', 10_000)
  at(5000, 'no connection', 10_000)
  at(9000, 'closed', 10_000)
  at(10_000, 'closed', 10_000)
  at(11_000, 'closed', 10_000)
  complaints.over('a', 'connected')
  at(12_000, 'no connection', 10_000)
  assert.deepEqual(lines, [
    'info no connection',
    'info closed',
    'warning closed',
    'info connected',
    'info no connection',
  ])
})
