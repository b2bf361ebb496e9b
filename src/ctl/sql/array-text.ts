/** An array of PostgreSQL: texts, nulls and arrays in it. */
export type SqlArray = readonly (string | null | SqlArray)[]

/** Reads PostgreSQL's text of an array: `{a,NULL,"b c",{d}}`, bounds before it allowed. @returns `null` for anything else */
export function parseArray(text: string): SqlArray | null {
  const start = /^(?:\[[^=]*=)?(?=\{)/.exec(text)
  if (!start) return null
  const tokens = text.slice(start[0].length).match(/[{},]|"(?:[^"\\]|\\[^])*"|[^{},"]+/g) ?? []
  const open: (string | null | SqlArray)[][] = []
  let done: SqlArray | null = null
  for (const token of tokens) {
    if (done) return null
    if (token === '{') open.push([])
    else if (token === '}') {
      const closed = open.pop()
      if (!closed) return null
      const parent = open.at(-1)
      if (parent) parent.push(closed)
      else done = closed
    } else if (token !== ',') open.at(-1)?.push(element(token))
  }
  return done
}

function element(token: string): string | null {
  if (token.startsWith('"')) return token.slice(1, -1).replace(/\\([^])/g, '$1')
  return token === 'NULL' ? null : token
}
