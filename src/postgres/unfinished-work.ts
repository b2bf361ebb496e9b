import { createHash } from 'node:crypto'
import { readdir, readFile, readlink, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isObject, parseJson } from '../cluster/json.ts'
import { errorCode, errorText, isInside, readText, replaceFile, syncDirectory } from './files.ts'

/**
 * Remembers work that leaves a data directory unusable if it is cut off: a copy, or pg_rewind after it has begun to
 * write. Neither leaves a trace of its own that PostgreSQL would notice: pg_rewind changes pg_control last, so a
 * half-rewound directory looks like a cleanly stopped server and would start, and serve, a mixture of two histories.
 * The note lies beside the data directory, because pg_rewind removes every file that its source does not have.
 */
export type UnfinishedWork =
  | { readonly kind: 'copy' }
  /** `fingerprint`: of the files before; `timeline`: of the source. */
  | { readonly kind: 'rewind'; readonly fingerprint: string; readonly timeline: number }

export interface WorkNote {
  read(): Promise<UnfinishedWork | null>
  /** On disk when it returns. @throws where it can be written nowhere: then the work must not begin */
  write(work: UnfinishedWork): Promise<void>
  remove(): Promise<void>
}

/**
 * @param dataDir the directory it is about
 * @param others places to use where nobody may write beside the data directory: a mount point, for instance
 */
export function workNote(dataDir: string, others: readonly string[]): WorkNote {
  const outside = [dirname(dataDir), ...others].filter((place) => place !== dataDir && !isInside(place, dataDir))
  const paths = outside.map((place) => join(place, `.${basename(dataDir)}.unfinished`))
  return {
    async read() {
      for (const path of paths) {
        const text = await readText(path)
        const work = text === null ? null : parseWork(text, dataDir)
        if (work) return work
      }
      return null
    },

    async write(work) {
      let refusal = 'there is no place for it'
      for (const path of paths) {
        try {
          await replaceFile(path, JSON.stringify({ ...work, data_dir: dataDir }), 0o600)
          await syncDirectory(dirname(path))
          return
        } catch (error) {
          refusal = errorText(error)
        }
      }
      throw new Error(`cannot note that the data directory is about to be changed: ${refusal}`)
    },

    async remove() {
      for (const path of paths) {
        await rm(path, { force: true }).catch((error: unknown) => {
          if (errorCode(error) !== 'EACCES') throw error
        })
      }
    },
  }
}

function parseWork(text: string, dataDir: string): UnfinishedWork | null {
  const document = parseJson(text)
  // a note that cannot be read says that something was going on, and not what: a copy is the safe guess
  if (!isObject(document)) return { kind: 'copy' }
  if (document['data_dir'] !== dataDir) return null
  const { kind, fingerprint, timeline } = document
  if (kind === 'rewind' && typeof fingerprint === 'string' && typeof timeline === 'number')
    return { kind, fingerprint, timeline }
  return { kind: 'copy' }
}

/**
 * Tells whether pg_rewind has begun to write: identity, size and time of change of files that it replaces in any case,
 * and of the first ones it replaces. Nothing else writes them while the server is down.
 */
export async function dataFingerprint(dataDir: string): Promise<string> {
  const hash = createHash('sha256')
  for (const directory of ['base', 'global', 'pg_xact', 'pg_clog', 'pg_multixact/members', 'pg_multixact/offsets']) {
    for (const name of (await readdir(join(dataDir, directory)).catch((): string[] => [])).toSorted()) {
      const path = join(dataDir, directory, directory === 'base' ? join(name, 'pg_filenode.map') : name)
      const found = await stat(path, { bigint: true }).catch(() => null)
      if (found) hash.update(`${path} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}\n`)
    }
  }
  return hash.digest('hex')
}

/**
 * Processes that an earlier agent left behind and that still write into this data directory. pg_rewind takes no lock,
 * so a second one, or a start, would not notice the first.
 */
export async function orphanedTools(dataDir: string, root = '/proc'): Promise<number[]> {
  const found: number[] = []
  for (const entry of await readdir(root).catch(() => [])) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue
    const argv = (await readFile(join(root, entry, 'cmdline'), 'utf8').catch(() => '')).split('\0')
    if (!isToolOn(argv, dataDir)) continue
    // the kernel keeps the name of a replaced executable; what matters is that the process lives
    if ((await readlink(join(root, entry, 'exe')).catch(() => '')) !== '') found.push(Number(entry))
  }
  return found
}

function isToolOn(argv: readonly string[], dataDir: string): boolean {
  const tool = basename(argv[0] ?? '')
  if (tool.includes('pg_rewind')) return argv.some((word, i) => word === '-D' && argv[i + 1] === dataDir)
  return argv.some((word) => word === `--pgdata=${dataDir}` || word === `--datadir=${dataDir}`)
}
