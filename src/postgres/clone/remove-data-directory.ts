import { lstat, readdir, readlink, rename, rm, symlink, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Log } from '../../ports/log.ts'
import { errorCode, errorText, syncDirectory } from '../files.ts'
import type { WorkNote } from '../unfinished-work.ts'

/** Places outside the data directory that belong to it: WAL and tablespaces behind symbolic links. */
interface LinkedPlace {
  readonly link: string
  readonly target: string
  readonly isTablespace: boolean
}

/** Deletes it so that, if we are killed meanwhile, the next agent deletes the rest instead of trying to use it. */
export async function removeNoted(dataDir: string, note: WorkNote, log: Log): Promise<void> {
  try {
    await note.write({ kind: 'copy' })
  } catch (error) {
    log.warning(errorText(error))
  }
  await removeDataDirectory(dataDir, log)
  await note.remove()
}

/**
 * Deletes a data directory with everything that belongs to it (spec postgres.md 5.6). Where the operating system
 * refuses, it is moved aside instead: a mount point can be emptied, a busy file renamed.
 */
export async function removeDataDirectory(dataDir: string, log: Log): Promise<void> {
  log.info(`Removing data directory: ${dataDir}`)
  try {
    const found = await lstat(dataDir).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return null
      throw error
    })
    if (!found) return
    if (!found.isDirectory()) return await unlink(dataDir)
    const places = await linkedPlaces(dataDir)
    // pg_control first: whatever is left of a killed removal is no longer taken for a server
    await rm(join(dataDir, 'global', 'pg_control'), { force: true })
    for (const place of places) {
      try {
        await rm(place.target, { recursive: true, force: true })
      } catch (error) {
        if (!place.isTablespace) throw error
        log.warning(`Could not remove tablespace ${place.target}: ${errorText(error)}`)
      }
    }
    await rm(dataDir, { recursive: true, force: true })
  } catch (error) {
    if (['EBUSY', 'EACCES', 'EPERM'].includes(errorCode(error)) && (await isEmptied(dataDir))) return
    log.error(`Could not remove data directory ${dataDir}: ${errorText(error)}`)
    await moveDataDirectoryAside(dataDir, log)
  }
}

/** A mount point, or a directory whose parent is not ours, stays as an empty one. */
async function isEmptied(dataDir: string): Promise<boolean> {
  try {
    const left = await readdir(dataDir)
    await Promise.all(left.map((name) => rm(join(dataDir, name), { recursive: true, force: true })))
    return true
  } catch {
    return false
  }
}

/**
 * Renames the data directory to `<name>.failed`, and so each WAL or tablespace directory behind a link, in place of an
 * older one. Nothing is deleted that is not there twice. The server must not run.
 */
export async function moveDataDirectoryAside(dataDir: string, log: Log): Promise<void> {
  const moved = `${dataDir}.failed`
  log.info(`renaming data directory to ${moved}`)
  try {
    await rm(moved, { recursive: true, force: true })
    for (const { link, target } of await linkedPlaces(dataDir)) {
      const aside = `${target}.failed`
      await rm(aside, { recursive: true, force: true })
      await rename(target, aside)
      await unlink(link)
      await symlink(aside, link)
    }
    await rename(dataDir, moved)
    await syncDirectory(dirname(moved))
  } catch (error) {
    log.error(`Could not rename data directory ${dataDir}: ${errorText(error)}`)
  }
}

async function linkedPlaces(dataDir: string): Promise<LinkedPlace[]> {
  const tablespaces = join(dataDir, 'pg_tblspc')
  const oids = await readdir(tablespaces).catch(() => [])
  const links = [
    ...['pg_wal', 'pg_xlog'].map((name) => ({ link: join(dataDir, name), isTablespace: false })),
    ...oids.map((oid) => ({ link: join(tablespaces, oid), isTablespace: true })),
  ]
  const places: LinkedPlace[] = []
  for (const { link, isTablespace } of links) {
    const target = await readlink(link).catch(() => null)
    if (target !== null) places.push({ link, target: resolve(dirname(link), target), isTablespace })
  }
  return places
}
