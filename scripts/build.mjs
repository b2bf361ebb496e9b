// Builds the programs: one CommonJS file each, from the sources of src/, and beside them the licences of what is in them.
//
// CommonJS, because on Node 22 and 24 an ES module that imports node:http loads all of undici: 6 to 9 MB in each agent.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { rolldown } from 'rolldown'
import { thirdPartyNotices } from './notices.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What users get (dist/) and what serves in a checkout (.build/tools/). */
const PROGRAMS = [
  { entry: 'src/agent/main.ts', file: 'dist/matriarch.cjs' },
  { entry: 'src/ctl/main.ts', file: 'dist/matriarchctl.cjs' },
  { entry: 'src/client/client.ts', file: 'dist/client.mjs', format: 'es', banner: '' },
  { entry: 'lab/demo/main.ts', file: '.build/tools/demo.cjs' },
  { entry: 'bench/main.ts', file: '.build/tools/bench.cjs' },
  { entry: 'chaos/main.ts', file: '.build/tools/chaos.cjs' },
  { entry: 'sim/main.ts', file: '.build/tools/sim.mjs', format: 'es' },
  { entry: 'sim/raft/main.ts', file: '.build/tools/sim-raft.mjs', format: 'es' },
]

/**
 * pg looks for its optional parts when it is loaded, not when it needs them: its look at `Response` makes Node 20 load
 * undici (3 MB) unless `navigator` exists.
 */
const BANNER = "globalThis.navigator ??= { userAgent: 'Node.js' };"

/** Never in the bundle: native code, and parts of pg that we do not use. */
const EXTERNAL = ['koffi', 'pg-native', 'pg-cloudflare', 'cloudflare:sockets']

async function buildProgram({ entry, file, format = 'cjs', banner = BANNER }) {
  const bundle = await rolldown({
    input: join(root, entry),
    platform: 'node',
    external: EXTERNAL,
    cwd: root,
    onLog(level, log, handle) {
      if (level === 'warn') throw new Error(`${entry}: ${log.message}`)
      handle(level, log)
    },
  })
  const { output } = await bundle.generate({ format, banner, codeSplitting: false })
  await bundle.close()
  const [chunk, ...more] = output
  if (more.length > 0)
    throw new Error(`${entry}: expected one file, got ${output.map((part) => part.fileName).join(', ')}`)
  writeAtomically(join(root, file), chunk.code)
  return { file, bytes: chunk.code.length, modules: chunk.moduleIds }
}

/** The shared checkout may be in use while it is built: nobody may see half a file. */
function writeAtomically(path, text) {
  mkdirSync(join(path, '..'), { recursive: true })
  const directory = mkdtempSync(join(path, '..', '.new-'))
  try {
    const fresh = join(directory, 'file')
    writeFileSync(fresh, text)
    chmodSync(fresh, 0o644)
    renameSync(fresh, path)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const missing = PROGRAMS.filter((program) => !existsSync(join(root, program.entry)))
if (missing.length > 0) {
  process.stderr.write(`build: no such source file: ${missing.map((program) => program.entry).join(', ')}\n`)
  process.exitCode = 1
}
const modules = new Set()
for (const program of PROGRAMS.filter((candidate) => !missing.includes(candidate))) {
  try {
    const built = await buildProgram(program)
    if (program.file.startsWith('dist/')) for (const id of built.modules) modules.add(id)
    process.stdout.write(`${built.file}  ${Math.ceil(built.bytes / 1024)} kB\n`)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    process.stderr.write(`build: ${program.file}: ${stripVTControlCharacters(reason)}\n`)
    process.exitCode = 1
  }
}
writeAtomically(join(root, 'dist/THIRD-PARTY-NOTICES'), thirdPartyNotices(modules))

/** The types of the client library, for those who import it. */
const types = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    root,
    '--declaration',
    '--emitDeclarationOnly',
    '--outDir',
    join(root, '.build/types'),
  ],
  { encoding: 'utf8' },
)
const declared = ['client', 'rest-types'].map((name) => join(root, `.build/types/src/client/${name}.d.ts`))
if (declared.every((path) => existsSync(path)))
  writeAtomically(join(root, 'dist/client.d.mts'), declared.map(declarations).join('\n'))
else {
  process.stderr.write(`build: no types of the client library: ${types.stdout}${types.stderr}\n`)
  process.exitCode = 1
}

/** All in one file: what comes from the other one is left out. */
function declarations(path) {
  return readFileSync(path, 'utf8')
    .replace(/^\/\/# sourceMappingURL.*$/m, '')
    .replace(/^(?:import|export) type [^]*? from '\.\/rest-types[^\n]*\n/gm, '')
}
