import { type FileHandle, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** The disk said no. `full`: it may work again later; nothing of what was to be written has been. */
export class StorageError extends Error {
  readonly kind: 'full' | 'broken'

  constructor(kind: 'full' | 'broken', text: string) {
    super(text)
    this.kind = kind
  }
}

const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** For a failure of writing, not of syncing: after that nobody knows what is on the disk. */
export function writeError(error: unknown, path: string): StorageError {
  const { code, message } = error as NodeJS.ErrnoException
  if (code !== undefined && NO_SPACE.has(code)) return new StorageError('full', `no space left to write ${path}`)
  return new StorageError('broken', `${path}: ${message}`)
}

export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
}

/** The folder's list of names, on the disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Written aside, synced, renamed, the rename synced: the file is there as a whole or not at all. */
export async function writeWhole(folder: string, name: string, content: Buffer): Promise<void> {
  const path = join(folder, name)
  const aside = `${path}.new`
  let handle: FileHandle | null = null
  try {
    handle = await open(aside, 'w', 0o600)
    await handle.writeFile(content)
    await handle.sync()
  } catch (error) {
    throw writeError(error, path)
  } finally {
    await handle?.close()
  }
  await rename(aside, path)
  await syncFolder(folder)
}

/** @returns the numbers of the files that are called `<before><number><after>`, lowest first */
export async function numbered(folder: string, before: string, after: string): Promise<number[]> {
  const names = await readdir(folder)
  return names
    .filter((name) => name.startsWith(before) && name.endsWith(after))
    .map((name) => name.slice(before.length, name.length - after.length))
    .filter((digits) => /^\d+$/.test(digits))
    .map(Number)
    .sort((a, b) => a - b)
}

export async function readWhole(folder: string, name: string): Promise<Buffer> {
  return readFile(join(folder, name))
}

export async function removeFiles(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    try {
      await unlink(join(folder, name))
    } catch (error) {
      // It is superfluous, not harmful.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return
    }
  }
}
