// Ends with 0 when node_modules holds what package-lock.json names.
import { existsSync, readFileSync } from 'node:fs'

const read = (path) => JSON.parse(readFileSync(path, 'utf8')).packages

function isInstalled() {
  if (!existsSync('node_modules/.package-lock.json')) return false
  const installed = read('node_modules/.package-lock.json')
  const locked = read('package-lock.json')
  // The other optional packages are those for other machines, and what these need.
  const wanted = Object.keys(locked['']?.optionalDependencies ?? {}).map((name) => `node_modules/${name}`)
  return Object.entries(locked).every(([path, { version, optional }]) => {
    if (path === '' || (optional && !wanted.includes(path))) return true
    return installed[path]?.version === version && existsSync(path)
  })
}

process.exitCode = isInstalled() ? 0 : 1
