import { isObject, type Json } from '../cluster/json.ts'

/** JSON as this API writes it: `, ` and `: ` between items, ASCII only (spec rest-api.md 2.4). */
export function spacedJson(value: Json): string {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(spacedJson).join(', ')}]`
  if (isObject(value)) {
    const members = Object.entries(value).map(([key, item]) => `${asciiString(key)}: ${spacedJson(item)}`)
    return `{${members.join(', ')}}`
  }
  return typeof value === 'string' ? asciiString(value) : JSON.stringify(value)
}

function asciiString(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
