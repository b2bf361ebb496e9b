import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import { printSpacedJson } from './json.ts'

export const FORMATS = ['pretty', 'tsv', 'json', 'yaml', 'yml'] as const
export type Format = (typeof FORMATS)[number]

/** Records in a form for programs, with the end of line (spec ctl.md 4.8). */
export async function printRecords(format: 'json' | 'yaml' | 'yml', records: readonly JsonObject[]): Promise<string> {
  if (format === 'json') return `${printSpacedJson(records)}\n`
  return `${await yamlText(records)}\n`
}

/** Block YAML with its final newline. The printer is loaded only where somebody asks for YAML. */
export async function yamlText(value: Json): Promise<string> {
  const { printYaml } = await import('../../config/yaml-print.ts')
  return printYaml(value)
}

/** YAML on one line: `{clonefrom: true, dc: east}`. */
export async function yamlFlowText(value: Json): Promise<string> {
  const { printYaml } = await import('../../config/yaml-print.ts')
  const { compareCodePoints } = await import('../../config/code-points.ts')
  const scalar = (one: Json): string => {
    const text = printYaml(one, { width: Number.POSITIVE_INFINITY }).replace(/\n(?:\.\.\.\n)?$/, '')
    return typeof one === 'string' && /^[^'"].*[,?[\]{}]/.test(text) ? `'${one.replaceAll("'", "''")}'` : text
  }
  const flow = (one: Json): string => {
    if (Array.isArray(one)) return `[${(one as readonly Json[]).map(flow).join(', ')}]`
    if (!isObject(one)) return scalar(one)
    const entries = Object.entries(one).sort(([a], [b]) => compareCodePoints(a, b))
    return `{${entries.map(([key, item]) => `${scalar(key)}: ${flow(item)}`).join(', ')}}`
  }
  return flow(value)
}

/** Tab-separated lines; nothing is quoted. */
export function printTsv(headers: readonly string[], rows: readonly (readonly string[])[], delimiter = '\t'): string {
  return [headers, ...rows].map((row) => `${row.join(delimiter)}\n`).join('')
}
