// Ends with 0 when node_modules holds what package-lock.json names.
import { existsSync, readFileSync } from 'node:fs'

const read = (path) => JSON.parse(readFileSync(path, 'utf8')).packages

function isInstalled() {
  if (!existsSync('node_modules/.package-lock.json')) return false
  const installed = read('node_modules/.package-lock.json')
  return Object.entries(read('package-lock.json')).every(([path, { version, optional }]) => {
    if (path === '') return true
    const have = installed[path]
    // Optional packages are those of other platforms, mostly.
    return have ? have.version === version && existsSync(path) : optional === true
  })
}

process.exitCode = isInstalled() ? 0 : 1
