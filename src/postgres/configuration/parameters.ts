import type { Json, JsonObject } from '../../cluster/json.ts'
import { textForm } from '../../cluster/values.ts'

/** One server parameter: its name as last spelled, and its value as text. */
export interface Parameter {
  readonly name: string
  readonly value: string
}

/** Server parameters by lower-case name: PostgreSQL does not care about the case of names. */
export type Parameters = ReadonlyMap<string, Parameter>

/** Reads a section as configured. A null means "not set". The last spelling of a name wins. */
export function parametersFrom(section: JsonObject): Parameters {
  const parameters = new Map<string, Parameter>()
  for (const [name, value] of Object.entries(section)) {
    if (value === null) parameters.delete(name.toLowerCase())
    else parameters.set(name.toLowerCase(), { name, value: valueText(value) })
  }
  return parameters
}

/** Values are written in the form operators know: booleans as `True` and `False`, which PostgreSQL reads (spec postgres.md 2.4). */
function valueText(value: Json): string {
  return textForm(value)
}

export function valueOf(parameters: Parameters, name: string): string | undefined {
  return parameters.get(name.toLowerCase())?.value
}

/** A copy with some values set, added, or (`null`) removed. */
export function withParameters(
  parameters: Parameters,
  changes: Readonly<Record<string, string | null>>,
): Map<string, Parameter> {
  const changed = new Map(parameters)
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) changed.delete(name.toLowerCase())
    else changed.set(name.toLowerCase(), { name: changed.get(name.toLowerCase())?.name ?? name, value })
  }
  return changed
}

/** Sorted as in every generated file: by code point, so that capitals come first. */
export function sortedParameters(parameters: Parameters): Parameter[] {
  return [...parameters.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}
