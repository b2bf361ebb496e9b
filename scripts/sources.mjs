import { existsSync, readdirSync } from 'node:fs'

/** @returns paths of all files below `folder` whose names end so, sorted; none when there is no such folder */
export function globSources(folder, ending) {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(ending))
  return names.sort((a, b) => (a < b ? -1 : 1)).map((name) => `${folder}/${name}`)
}
