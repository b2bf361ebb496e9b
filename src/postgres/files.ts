import { chmod, lstat, mkdir, open, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import type { DataDirectory } from '../ports/postgres.ts'

/** Permissions for what the agent creates; they follow the mode of the data directory (spec postgres.md 2.1). */
export interface FileModes {
  readonly file: number
  readonly directory: number
}

/** A data directory that its group may read keeps group-readable files. */
export async function dataDirectoryModes(dataDir: string): Promise<FileModes> {
  const mode = await stat(dataDir).then(
    (found) => found.mode,
    () => 0,
  )
  return (mode & 0o750) === 0o750 ? { file: 0o640, directory: 0o750 } : { file: 0o600, directory: 0o700 }
}

/** Mode for a generated file: by the data directory inside it, by the umask that the agent was started with elsewhere. */
export async function fileModeFor(path: string, dataDir: string, originalUmask: number): Promise<number> {
  return isInside(path, dataDir) ? (await dataDirectoryModes(dataDir)).file : 0o666 & ~originalUmask
}

export function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`)
}

let unique = 0

/**
 * Replaces a file as a whole: a reader, or a machine that loses power, sees the old text or the new one. Symbolic links
 * are followed, so a link stays a link. A file that is a mount point of its own (containers do that) cannot be replaced
 * by a rename; then it is written in place.
 */
export async function replaceFile(path: string, text: string | Uint8Array, mode: number): Promise<void> {
  const target = await realpath(path).catch(() => path)
  unique += 1
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.${unique}.tmp`)
  try {
    await writeSynced(temporary, text, mode)
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    if (!['EACCES', 'EPERM', 'EBUSY', 'EXDEV'].includes(errorCode(error))) throw error
    await writeSynced(target, text, mode)
  }
}

/** As `replaceFile`, but leaves a file alone that already has this text and mode: its time of change tells readers that nothing is new. */
export async function updateFile(path: string, text: string, mode: number): Promise<boolean> {
  const [present, found] = await Promise.all([readText(path), stat(path).catch(() => null)])
  if (present === text && found && (found.mode & 0o777) === mode) return false
  await replaceFile(path, text, mode)
  return true
}

async function writeSynced(path: string, text: string | Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'w', mode)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await chmod(path, mode)
}

/** Makes renames, creations and deletions in a directory survive a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** The text of a file; `null` where it does not exist or cannot be read. */
export async function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null)
}

export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

export async function modifiedAtMs(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.mtimeMs,
    () => 0,
  )
}

export async function makeDirectory(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true, mode })
}

export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/**
 * Whether there is a database cluster (spec postgres.md 1.2). Hidden files and `lost+found` do not count: an empty file
 * system has them. A directory that cannot be read is neither empty nor present: a mount may be missing.
 */
export async function inspectDataDirectory(dataDir: string): Promise<DataDirectory> {
  try {
    if (await exists(join(dataDir, 'global', 'pg_control'))) return { kind: 'present' }
    const entries = await readdir(dataDir)
    return entries.every((name) => name.startsWith('.') || name === 'lost+found')
      ? { kind: 'empty' }
      : { kind: 'present' }
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? { kind: 'empty' } : { kind: 'inaccessible', reason: errorText(error) }
  }
}
