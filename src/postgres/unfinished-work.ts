import { createHash } from 'node:crypto'
import { readdir, readFile, readlink, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isObject, parseJson } from '../cluster/json.ts'
import { peekClusterState } from './control-data.ts'
import { errorCode, errorText, isInside, readText, replaceFile, syncDirectory } from './files.ts'

/**
 * Remembers work that leaves a data directory unusable if it is cut off: making or removing one, or pg_rewind after it has begun to
 * write. Neither leaves a trace of its own that PostgreSQL would notice: pg_rewind changes pg_control last, so a
 * half-rewound directory looks like a cleanly stopped server and would start, and serve, a mixture of two histories.
 * The note lies beside the data directory, because pg_rewind removes every file that its source does not have. For a
 * rewind there is a second one inside: it travels with a volume whose surroundings are made anew, and pg_rewind takes it
 * away only with its last steps.
 */
export type UnfinishedWork =
  /** Whatever lies there is no data of anybody yet, or any more: it is removed. */
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
  const inside = join(dataDir, 'matriarch.unfinished')
  const paths = outside.map((place) => join(place, `.${basename(dataDir)}.unfinished`))
  return {
    async read() {
      for (const path of [...paths, inside]) {
        const text = await readText(path)
        const work = text === null ? null : parseWork(text, dataDir, path === inside)
        if (work) return work
      }
      return null
    },

    async write(work) {
      const text = JSON.stringify({ ...work, data_dir: dataDir })
      if (work.kind === 'rewind') {
        await replaceFile(inside, text, 0o600)
        await syncDirectory(dataDir)
      }
      let refusal = 'there is no place for it'
      for (const path of paths) {
        try {
          await replaceFile(path, text, 0o600)
          await syncDirectory(dirname(path))
          return
        } catch (error) {
          refusal = errorText(error)
        }
      }
      throw new Error(`cannot note that the data directory is about to be changed: ${refusal}`)
    },

    async remove() {
      for (const path of [...paths, inside]) {
        await rm(path, { force: true }).catch((error: unknown) => {
          if (errorCode(error) !== 'EACCES') throw error
        })
      }
    },
  }
}

function parseWork(text: string, dataDir: string, isTravelling: boolean): UnfinishedWork | null {
  const document = parseJson(text)
  // a note that cannot be read says that something was going on, and not what: nothing is started, nothing is deleted
  if (!isObject(document)) return { kind: 'rewind', fingerprint: '', timeline: 0 }
  // inside it may have been moved with its directory; outside it may lie beside another one
  if (document['data_dir'] !== dataDir && !isTravelling) return null
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
      const path = join(directory, directory === 'base' ? join(name, 'pg_filenode.map') : name)
      const found = await stat(join(dataDir, path), { bigint: true }).catch(() => null)
      if (found) hash.update(`${path} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}\n`)
    }
  }
  return hash.digest('hex')
}

/**
 * Whether pg_rewind came to its end: it writes the label and pg_control last, and the server was cleanly shut down
 * before, or pg_rewind would not have begun.
 */
export async function isRewound(dataDir: string): Promise<boolean> {
  const label = await readText(join(dataDir, 'backup_label'))
  return (
    (label?.includes('BACKUP METHOD: pg_rewind') ?? false) &&
    (await peekClusterState(dataDir)) === 'in archive recovery'
  )
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
  if (tool === 'initdb') return argv.includes(dataDir)
  return argv.some((word) => word === `--pgdata=${dataDir}` || word === `--datadir=${dataDir}`)
}
