import { isObject, type Json, type JsonObject } from '../cluster/json.ts'
import { inOneLine, isTruthy, parseBool, parseInteger, textForm } from '../cluster/values.ts'

/** A finding at a place in the document; file and line are looked up when it is told. */
export interface Finding {
  /** `fatal`: nothing can be done with this configuration; `error`: one thing that is asked for will not be done. */
  readonly severity: 'fatal' | 'error' | 'warning'
  readonly path: readonly string[]
  readonly message: string
}

/** Messages may show what was written; nobody reads more of it. */
const MESSAGE_MAX = 300

/**
 * One mapping of the effective configuration while it is read into its type. Odd values of optional keys are noted and
 * read as the default: a member that runs is worth more than a neat file. No finding shows a value.
 */
export class Section {
  readonly document: JsonObject
  readonly #path: readonly string[]
  readonly #findings: Finding[]

  constructor(document: JsonObject, path: readonly string[], findings: Finding[]) {
    this.document = document
    this.#path = path
    this.#findings = findings
  }

  fatal(key: string, message: string): void {
    this.#note('fatal', key, message)
  }

  error(key: string, message: string): void {
    this.#note('error', key, message)
  }

  warning(key: string, message: string): void {
    this.#note('warning', key, message)
  }

  get(key: string): Json | undefined {
    return Object.hasOwn(this.document, key) ? this.document[key] : undefined
  }

  /** A text or number as text; empty and null count as missing. */
  text(key: string): string | null {
    const value = this.get(key)
    if (value === undefined || value === null || value === '') return null
    if (typeof value !== 'object') return textForm(value)
    // An empty mapping stands where an empty key was written at the top level.
    if (isTruthy(value)) this.warning(key, 'is not a string, ignored')
    return null
  }

  /** As `text`, for a key without which the agent cannot run. */
  required(key: string): string {
    const value = this.text(key)
    if (value === null) this.fatal(key, 'is not defined.')
    return value ?? ''
  }

  /** Anything that is not empty, zero or false switches it on; a text that says "off" does too, so that is told. */
  flag(key: string, fallback = false): boolean {
    const value = this.get(key)
    if (value === undefined) return fallback
    if (typeof value === 'string' && value !== '' && parseBool(value) === false)
      this.warning(key, 'is text, which counts as true; write false without quotes to switch it off')
    return isTruthy(value)
  }

  integer(key: string, fallback: number): number {
    const value = this.get(key)
    const parsed = parseInteger(value)
    if (parsed === undefined && value !== undefined && value !== null)
      this.warning(key, `is not an integer, using ${fallback}`)
    return parsed ?? fallback
  }

  mapping(key: string): JsonObject {
    const value = this.get(key)
    if (isObject(value)) return value
    if (isTruthy(value)) this.warning(key, 'is not a dictionary, ignored')
    return {}
  }

  section(key: string): Section {
    return new Section(this.mapping(key), this.#at(key), this.#findings)
  }

  /** Values as text; entries that are mappings or lists are left out. */
  textMap(key: string): Readonly<Record<string, string>> {
    const section = this.section(key)
    return Object.fromEntries(
      Object.keys(section.document).flatMap((name) => {
        const text = section.text(name)
        return text === null ? [] : [[name, text]]
      }),
    )
  }

  /** `null` where the key is missing or null. A single text counts as a list of one. */
  list(key: string): readonly string[] | null {
    const value = this.get(key)
    if (value === undefined || value === null) return null
    if (Array.isArray(value)) return value.map(textForm)
    if (typeof value === 'string' && value !== '') return [value]
    if (isTruthy(value)) this.warning(key, 'is not a list, ignored')
    return null
  }

  #note(severity: Finding['severity'], key: string, message: string): void {
    const path = this.#at(key)
    const known = this.#findings.some((one) => one.message === message && one.path.join('.') === path.join('.'))
    if (!known) this.#findings.push({ severity, path, message: inOneLine(message, MESSAGE_MAX) })
  }

  #at(key: string): readonly string[] {
    return [...this.#path, key]
  }
}
