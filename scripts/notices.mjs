// The licences of the packages that a bundle contains.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([-.].*)?$/i

/**
 * @param moduleIds absolute paths of the modules in the bundles
 * @returns the text of THIRD-PARTY-NOTICES: each package once, with its licence in full
 * @throws if a package has no licence text: we may not ship it then
 */
export function thirdPartyNotices(moduleIds) {
  const directories = new Set()
  for (const id of moduleIds) {
    const match = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id.replace(/^\0/, ''))
    if (match) directories.add(match[1])
  }
  const sections = [...directories]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((directory) => {
      const { name, version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
      return `${name} ${version} (${license})\n\n${licenceText(directory, name)}`
    })
  const line = '-'.repeat(78)
  return [
    'Matriarch contains the following third-party software.',
    ...sections.map((section) => `${line}\n${section.trim()}`),
    '',
  ].join('\n\n')
}

function licenceText(directory, name) {
  const files = readdirSync(directory)
  const own = files.filter((file) => LICENCE_FILE.test(file))
  if (own.length > 0) return own.map((file) => readFileSync(join(directory, file), 'utf8').trim()).join('\n\n')
  const readme = files.find((file) => /^readme(\.md)?$/i.test(file))
  const section = readme && /^#+ licen[cs]e\s*\n(.*)/ims.exec(readFileSync(join(directory, readme), 'utf8'))
  if (section?.[1]?.includes('Permission is hereby granted')) return section[1]
  throw new Error(`package ${name} has no licence text: it may not go into a bundle`)
}
