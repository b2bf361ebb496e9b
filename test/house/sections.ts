/** The two specifications whose sections are numbered and implemented one by one. */
export type Specification = 'ha' | 'postgres'

/** Files in which a bare number at the head of a title means a section of ha.md, or of postgres.md. */
const HOME: Readonly<Record<Specification, readonly string[]>> = {
  ha: ['src/ha/', 'src/agent/', 'src/fence/', 'src/peers/', 'sim/', 'test/acceptance/'],
  postgres: ['src/postgres/'],
}

const TITLE = /(?:\b(?:test|told|story)\(\s*|\btitle:\s*)(['"`])((?:\\.|(?!\1).)*)\1/gs

/** @returns the titles of the tests in one file, also those of cases that a loop makes tests of */
export function testTitles(source: string): readonly string[] {
  return [...source.matchAll(TITLE)].map((match) => match[2] ?? '')
}

const NUMBER = String.raw`\d+(?:\.\d+)?`
const HEAD = new RegExp(`^(?:(ha|postgres)(?:[.]md)? )?(${NUMBER}(?:(?:, | and | to )(?:and )?${NUMBER})*)(?![\\d.])`)

export interface Named {
  readonly specification: Specification
  readonly sections: readonly string[]
}

/**
 * The sections that a title names at its head: `6.3 the old primary`, `postgres 2.8 and 2.9 settings`, `1.7 to 1.9 ...`,
 * `18.3, postgres 7.9 slots`. Empty where it names none, or those of another specification.
 */
export function sectionsOf(file: string, title: string): readonly Named[] {
  const found: Named[] = []
  let rest = title
  for (;;) {
    const [head, named, numbers = ''] = HEAD.exec(rest) ?? []
    const specification = (named as Specification | undefined) ?? (found.length === 0 ? home(file) : null)
    if (head === undefined || specification === null) return found
    found.push({ specification, sections: expanded(numbers) })
    rest = rest.slice(head.length).replace(/^, (?=ha|postgres)/, '')
  }
}

function home(file: string): Specification | null {
  for (const name of ['ha', 'postgres'] as const) if (HOME[name].some((folder) => file.startsWith(folder))) return name
  return null
}

function expanded(numbers: string): readonly string[] {
  const sections: string[] = []
  for (const [, word = '', number = ''] of numbers.matchAll(new RegExp(`(^|, and |, | and | to )(${NUMBER})`, 'g'))) {
    const last = sections.at(-1)
    if (word === ' to ' && last !== undefined) sections.push(...between(last, number))
    else sections.push(number)
  }
  return sections
}

/** What comes after `from` up to `to` in one chapter. */
function between(from: string, to: string): readonly string[] {
  const [chapter, first] = from.split('.').map(Number)
  const [same, last] = to.split('.').map(Number)
  if (chapter !== same || first === undefined || last === undefined) return [to]
  return Array.from({ length: Math.max(0, last - first) }, (_, i) => `${chapter}.${first + i + 1}`)
}
