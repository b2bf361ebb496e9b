import { randomBytes } from 'node:crypto'
import { open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject, type JsonObject, parseJson, printJson } from '../cluster/json.ts'

const NAME = 'patroni.dynamic.json'

/** The copy of the dynamic configuration in the data directory (spec configuration.md 5.5). */
export function cachePath(dataDir: string): string {
  return join(dataDir, NAME)
}

export type CacheOutcome =
  | { readonly kind: 'document'; readonly document: JsonObject }
  | { readonly kind: 'none' }
  /** It is there but cannot be used; the agent goes on as if there were none. */
  | { readonly kind: 'unreadable'; readonly reason: string }

export async function loadCache(dataDir: string): Promise<CacheOutcome> {
  const path = cachePath(dataDir)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'none' }
    return { kind: 'unreadable', reason: `Exception when loading file: ${path} (${code ?? 'unknown error'})` }
  }
  const document = parseJson(text)
  if (isObject(document)) return { kind: 'document', document }
  return { kind: 'unreadable', reason: `Exception when loading file: ${path} (not a JSON object)` }
}

/**
 * Replaces the copy. A process killed here leaves the old file or the new one, at worst a stray temporary file beside it.
 * @returns why it could not be saved, `null` when it was
 */
export async function saveCache(dataDir: string, document: JsonObject): Promise<string | null> {
  const path = cachePath(dataDir)
  const temporary = `${path}${randomBytes(6).toString('hex')}`
  try {
    // Readable for the group exactly where the whole data directory is.
    const groupReads = ((await stat(dataDir)).mode & 0o040) !== 0
    const file = await open(temporary, 'wx', groupReads ? 0o640 : 0o600)
    try {
      await file.chmod(groupReads ? 0o640 : 0o600)
      await file.writeFile(printJson(document))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    return null
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    const { code } = error as NodeJS.ErrnoException
    return `Exception when saving file: ${path} (${code ?? 'unknown error'})`
  }
}
