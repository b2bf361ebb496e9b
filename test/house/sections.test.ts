import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Specification, sectionsOf, testTitles } from './sections.ts'

/** How many numbered sections each chapter has; 0: the chapter is one section. */
const CHAPTERS: Readonly<Record<Specification, readonly number[]>> = {
  // 1 to 24
  ha: [7, 4, 12, 3, 3, 5, 5, 4, 0, 5, 0, 4, 4, 3, 2, 6, 5, 3, 0, 0, 3, 0, 0, 0],
  // 1 to 14
  postgres: [13, 15, 2, 4, 6, 8, 9, 6, 4, 7, 3, 0, 0, 0],
}

const CITUS = 'Citus is not supported'

/** Sections that no test can name, and why. */
const LEFT_OUT: Readonly<Record<Specification, Readonly<Record<string, string>>>> = {
  ha: {
    '1.1': 'vocabulary',
    '1.5': 'a list of what is remembered; each item is tested where it is used',
    '1.7': 'describes the form of the decision',
    '10.5': CITUS,
    '22': 'traces of what other sections say',
    '23': 'invariants, which the simulator checks after each step',
    '24': 'faults of the reference; the better way is tested in the section where it belongs',
  },
  postgres: {
    '10.1': CITUS,
    '10.2': CITUS,
    '10.3': CITUS,
    '10.4': CITUS,
    '10.5': CITUS,
    '10.6': CITUS,
    '10.7': CITUS,
    '11.1': 'a program for Amazon EC2 that is not part of this package',
    '11.2': 'a program for WAL-E that is not part of this package',
    '11.3': 'a client for Barman that is not part of this package',
    '14': 'faults of the reference; the better way is tested in the section where it belongs',
  },
}

function sections(specification: Specification): readonly string[] {
  return CHAPTERS[specification].flatMap((count, i) =>
    count === 0 ? [String(i + 1)] : Array.from({ length: count }, (_, n) => `${i + 1}.${n + 1}`),
  )
}

const root = process.cwd()

function namedSections(): Readonly<Record<Specification, ReadonlySet<string>>> {
  const named = { ha: new Set<string>(), postgres: new Set<string>() }
  for (const folder of ['src', 'sim', 'test']) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.startsWith('house/')) continue
      const file = join(folder, name)
      for (const title of testTitles(readFileSync(join(root, file), 'utf8'))) {
        for (const found of sectionsOf(file, title))
          for (const section of found.sections) named[found.specification].add(section)
      }
    }
  }
  return named
}

const named = namedSections()

for (const specification of ['ha', 'postgres'] as const) {
  test(`every section of ${specification}.md is named by a test, or left out for a reason`, () => {
    const missing = sections(specification).filter(
      (section) => !named[specification].has(section) && !(section in LEFT_OUT[specification]),
    )
    assert.deepEqual(missing, [])
  })

  test(`no section of ${specification}.md is left out although a test names it, and tests name none that does not exist`, () => {
    const known = new Set(sections(specification))
    assert.deepEqual(
      Object.keys(LEFT_OUT[specification]).filter(
        (section) => named[specification].has(section) || !known.has(section),
      ),
      [],
    )
    const chapters = new Set(CHAPTERS[specification].map((_, i) => String(i + 1)))
    // In a chapter without sections the second number is that of a paragraph or of a line.
    const inChapter = (section: string): boolean => known.has(section.split('.')[0] ?? '')
    const unknown = [...named[specification]].filter(
      (section) => !known.has(section) && !chapters.has(section) && !inChapter(section),
    )
    assert.deepEqual(unknown, [])
  })
}

test('titles are read as people write them', () => {
  const at = (file: string, title: string): unknown => sectionsOf(file, title)
  assert.deepEqual(at('src/ha/a.test.ts', '6.3 the old primary'), [{ specification: 'ha', sections: ['6.3'] }])
  assert.deepEqual(at('src/postgres/a.test.ts', '6.3 to 6.5 a rewind'), [
    { specification: 'postgres', sections: ['6.3', '6.4', '6.5'] },
  ])
  assert.deepEqual(at('src/postgres/a.test.ts', '1.7, 1.9 and 9.1 the two'), [
    { specification: 'postgres', sections: ['1.7', '1.9', '9.1'] },
  ])
  assert.deepEqual(at('test/acceptance/a.test.ts', '18.3, postgres 7.9 slots'), [
    { specification: 'ha', sections: ['18.3'] },
    { specification: 'postgres', sections: ['7.9'] },
  ])
  assert.deepEqual(at('src/config/a.test.ts', 'postgres 2.15 the cache'), [
    { specification: 'postgres', sections: ['2.15'] },
  ])
  assert.deepEqual(at('test/acceptance/a.test.ts', '19 the primary'), [{ specification: 'ha', sections: ['19'] }])
  assert.deepEqual(at('src/api/a.test.ts', '13.2 a section of another specification'), [])
  assert.deepEqual(at('test/acceptance/a.test.ts', 'a test of three members'), [])
  const source = "test('1 one', () => {})\ntold(\n  `2 two ${x}`, async () => {})\nconst c = { title: \"3 it's\" }"
  assert.deepEqual(testTitles(source), ['1 one', '2 two ${x}', "3 it's"])
})
