import { isObject, type Json, printJson } from '../../cluster/json.ts'

/** JSON on one line with a blank after each comma and colon, as the tool has always printed it (spec ctl.md 4.8). */
export function printSpacedJson(value: Json): string {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(printSpacedJson).join(', ')}]`
  if (!isObject(value)) return printJson(value)
  return `{${Object.entries(value)
    .map(([key, item]) => `${printJson(key)}: ${printSpacedJson(item)}`)
    .join(', ')}}`
}
