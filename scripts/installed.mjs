// Ends with 0 when node_modules holds what package-lock.json names.
import { existsSync, readFileSync } from 'node:fs'

const read = (path) => JSON.parse(readFileSync(path, 'utf8')).packages

function isInstalled() {
  if (!existsSync('node_modules/.package-lock.json')) return false
  const installed = read('node_modules/.package-lock.json')
  return Object.entries(read('package-lock.json')).every(([path, locked]) => {
    if (path === '' || !isForThisMachine(locked)) return true
    return installed[path]?.version === locked.version && existsSync(path)
  })
}

/** Packages for another system, processor or C library are in the lock file, but are not installed here. */
function isForThisMachine({ os, cpu, libc }) {
  return (os?.includes(process.platform) ?? true) && (cpu?.includes(process.arch) ?? true) && !libc?.includes('musl')
}

process.exitCode = isInstalled() ? 0 : 1
