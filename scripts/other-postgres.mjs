// Another major version of PostgreSQL than the machine has, from the Debian or Ubuntu release that carries it. Nothing is
// installed: packages are fetched by apt (which checks their signatures) and unpacked below .build/.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const DEBIAN = { url: 'http://deb.debian.org/debian', keys: '/usr/share/keyrings/debian-archive-keyring.gpg' }
/** Its keyring comes as a package of Debian's. */
const UBUNTU = { url: 'http://archive.ubuntu.com/ubuntu', keys: null, updates: true }
const KEYS_OF_UBUNTU = { ...DEBIAN, release: 'trixie' }

/** Where each major version is to be had. */
const RELEASES = {
  12: { ...UBUNTU, release: 'focal' },
  13: { ...DEBIAN, release: 'bullseye' },
  14: { ...UBUNTU, release: 'jammy' },
  15: { ...DEBIAN, release: 'bookworm' },
  16: { ...UBUNTU, release: 'noble' },
  17: { ...DEBIAN, release: 'trixie' },
  18: { ...DEBIAN, release: 'sid' },
}

export const MAJORS = Object.keys(RELEASES)

/** Libraries that a server loads, and the C library of its own release; not LLVM, which is large and only makes it faster. */
const WANTED = /^(lib(?!llvm|clang|perl|python|tcl)[a-z0-9.+-]*|zlib1g)$/

/** @returns the folder of initdb, postgres, pg_rewind and the others; fetched on first use */
export function otherPostgres(major) {
  const from = RELEASES[major]
  if (!from) throw new Error(`PostgreSQL ${major}: known are ${MAJORS.join(', ')}`)
  const folder = resolve(`.build/postgres-${major}`)
  const bin = join(folder, 'root/usr/lib/postgresql', major, 'bin')
  if (existsSync(bin)) return bin
  // Unpacked beside and renamed when complete. Programs name their libraries by the final path.
  const making = `${folder}.making`
  rmSync(making, { recursive: true, force: true })
  const root = join(making, 'root')
  mkdirSync(root, { recursive: true })
  const tools = join(making, 'tools')
  unpack(join(making, 'host'), null, ['patchelf'], tools)
  if (!from.keys) unpack(join(making, 'keys'), KEYS_OF_UBUNTU, ['ubuntu-keyring'], tools)
  const keys = from.keys ?? join(tools, 'usr/share/keyrings/ubuntu-archive-keyring.gpg')
  const wanted = [`postgresql-${major}`, `postgresql-client-${major}`]
  unpack(join(making, 'apt'), { ...from, keys }, wanted, root, WANTED)
  patch(join(tools, 'usr/bin/patchelf'), root, join(folder, 'root'), major)
  for (const part of ['host', 'keys', 'apt', 'tools']) rmSync(join(making, part), { recursive: true, force: true })
  chmodSync(making, 0o755)
  renameSync(making, folder)
  return bin
}

/** Fetches packages, and those they need as far as `also` says, and unpacks them. `from`: `null` is this machine's release. */
function unpack(state, from, packages, root, also) {
  for (const part of ['lists/partial', 'cache/archives/partial', 'parts', 'debs', root])
    mkdirSync(resolve(state, part), { recursive: true })
  const options = from ? ['-o', `Dir::State::lists=${state}/lists`, '-o', `Dir::Cache=${state}/cache`] : []
  if (from) {
    const source = `deb [signed-by=${from.keys}] ${from.url}`
    const suites = [from.release, ...(from.updates ? [`${from.release}-updates`] : [])]
    writeFileSync(join(state, 'sources.list'), suites.map((suite) => `${source} ${suite} main\n`).join(''))
    writeFileSync(join(state, 'status'), '')
    options.push('-o', `Dir::Etc::SourceList=${state}/sources.list`, '-o', `Dir::Etc::SourceParts=${state}/parts`)
    options.push('-o', `Dir::State::status=${state}/status`, '-o', 'APT::Sandbox::User=root')
    run('apt-get', [...options, '-qq', 'update'])
  }
  const names = also ? [...packages, ...dependencies(options, packages).filter((name) => also.test(name))] : packages
  run('apt-get', [...options, '-qq', 'download', ...new Set(names)], join(state, 'debs'))
  for (const file of readdirSync(join(state, 'debs'))) run('dpkg', ['-x', join(state, 'debs', file), root])
}

function dependencies(options, packages) {
  const kinds = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`)
  const text = run('apt-cache', [...options, 'depends', '--recurse', ...kinds, ...packages])
  return text.split('\n').filter((line) => /^[a-z]/.test(line))
}

/** Each program gets the dynamic linker and the libraries that were unpacked with it, whatever the machine has. */
function patch(patchelf, root, finalRoot, major) {
  const libraries = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu']
  // In lib64 there is only a link, in some releases an absolute one.
  const loader = libraries
    .flatMap((part) =>
      existsSync(join(root, part)) ? readdirSync(join(root, part)).map((name) => join(part, name)) : [],
    )
    .find((path) => /\/ld-(linux-x86-64|[\d.]+)\.so(\.2)?$/.test(path) && lstatSync(join(root, path)).isFile())
  if (!loader) throw new Error(`PostgreSQL ${major}: its dynamic linker was not found`)
  const bin = join(root, 'usr/lib/postgresql', major, 'bin')
  for (const name of readdirSync(bin)) {
    const program = join(bin, name)
    if (spawnSync(patchelf, ['--print-interpreter', program]).status !== 0) continue
    const rpath = libraries.map((part) => join(finalRoot, part)).join(':')
    run(patchelf, ['--set-interpreter', join(finalRoot, loader), '--force-rpath', '--set-rpath', rpath, program])
  }
  rmSync(join(root, 'usr/lib/postgresql', major, 'lib/llvmjit.so'), { force: true })
}

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
  return stdout
}
