import { STATUS_CODES } from 'node:http'
import { type HeaderSettings, headerList } from './headers.ts'
import type { ApiResponse } from './response.ts'

/** An answer as it goes over the wire, for connections that the HTTP library does not answer on. */
export function printAnswer(
  answer: ApiResponse,
  settings: HeaderSettings,
  date: string,
  more: readonly string[] = [],
): string {
  const list = headerList(answer, settings, date)
  const lines = list.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${list[i + 1]}`] : []))
  const reason = answer.reason ?? STATUS_CODES[answer.status] ?? ''
  return `HTTP/1.1 ${answer.status} ${reason}\r\n${[...lines, ...more].join('\r\n')}\r\n\r\n${answer.body}`
}
