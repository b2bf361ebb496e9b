import { readFileSync } from 'node:fs'
import { clientTypes } from './client-types.ts'
import { configurationReference } from './configuration-reference.ts'

/** A committed file that is made, wholly or in part, from the sources. */
interface GeneratedFile {
  readonly path: string
  /** @param current the file as it is */
  readonly make: (current: string) => string
}

/** Everything after this line is made. */
const MARK = '<!-- Made from the sources: `npm run generate`. Change src/config/keys/ instead. -->\n'

export const GENERATED_FILES: readonly GeneratedFile[] = [
  { path: 'src/client/rest-types.ts', make: clientTypes },
  {
    path: 'docs/configuration.md',
    make: (current) => `${current.split(MARK)[0]}${MARK}\n${configurationReference()}`,
  },
]

export function freshText({ path, make }: GeneratedFile): { readonly current: string; readonly fresh: string } {
  const current = readFileSync(path, 'utf8')
  return { current, fresh: make(current) }
}
