import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

interface LockedPackage {
  readonly version?: string
  readonly license?: string
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
  readonly resolved?: string
}

const PERMISSIVE = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD', 'BlueOak-1.0.0']
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockedPackage> }
const locked = Object.entries(lock.packages).filter(([path]) => path !== '')

test('every dependency is named with its exact version', () => {
  const all = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies }
  const loose = Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
  assert.deepEqual(loose, [])
  for (const [name, version] of Object.entries(all)) {
    assert.equal(lock.packages[`node_modules/${name}`]?.version, version, `${name} in the lock file`)
  }
})

test('the programs depend on the four packages that earn their place, and on nothing else', () => {
  assert.deepEqual(Object.keys(manifest.dependencies).sort(), ['commander', 'diff', 'pg', 'yaml'])
  assert.deepEqual(
    Object.keys(manifest.optionalDependencies ?? {}).filter((name) => name !== 'koffi'),
    [],
  )
})

test('nothing that the programs contain needs a script at installation or comes with a licence that binds users', () => {
  for (const [path, { license, dev, hasInstallScript }] of locked) {
    if (dev) continue
    assert.ok(!hasInstallScript || path.endsWith('/koffi'), `${path} has an install script`)
    assert.ok(PERMISSIVE.includes(license ?? ''), `${path} has the licence ${license}`)
  }
})

test('the types of Node are those of the oldest version we run on', () => {
  assert.match(manifest.devDependencies['@types/node'] ?? '', /^20\./)
})
