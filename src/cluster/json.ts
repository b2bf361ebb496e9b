/** JSON as it stands in the store, in files and on the wire. Key order is kept: other tools compare tags as text. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Nothing of ours is nested so deep. What is nested thousands of times can be parsed, but neither compared nor printed. */
const DEPTH_MAX = 100

/** @returns the parsed document, or `undefined` when the text is not JSON (`null` is a document) or nested too deep. */
export function parseJson(text: string): Json | undefined {
  try {
    const value = JSON.parse(text) as Json
    return depthOf(text) > DEPTH_MAX ? undefined : value
  } catch {
    return undefined
  }
}

/** How deep the lists and maps of a JSON text are nested. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const c = text[i]
    if (inString) {
      if (c === '\\') i += 1
      else if (c === '"') inString = false
    } else if (c === '"') inString = true
    else if (c === '[' || c === '{') deepest = Math.max(deepest, ++depth)
    else if (c === ']' || c === '}') depth -= 1
  }
  return deepest
}

/** Compact JSON with every non-ASCII character escaped: the form in which all values are written (spec dcs.md 2.1). */
export function printJson(value: Json): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
