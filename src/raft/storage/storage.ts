import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Entry, HardState, NodeId, Ready, Restored, Snapshot } from '../core/types.ts'
import { FORMAT, type LogRecord, replay } from './contents.ts'
import {
  makeFolder,
  numbered,
  readWhole,
  removeFiles,
  StorageError,
  syncFolder,
  writeError,
  writeWhole,
} from './files.ts'
import { decodeRecords, encodeRecord } from './record.ts'

export type Opened =
  | { readonly kind: 'opened'; readonly storage: Storage; readonly restored: Restored; readonly cutBytes: number }
  /** What is on the disk cannot be relied on; the text says what and what helps. */
  | { readonly kind: 'unusable'; readonly text: string }

const LOG = { before: 'log-', after: '' } as const
const SNAPSHOT = { before: 'snapshot-', after: '' } as const

const logName = (number: number): string => `${LOG.before}${number}`
const snapshotName = (index: number): string => `${SNAPSHOT.before}${index}`

/**
 * What one member keeps on its disk: a log of entries and votes that only grows, and the latest snapshot. After each
 * snapshot a new log file begins with what is still needed, and the old one is deleted.
 */
export class Storage {
  readonly id: NodeId
  readonly #folder: string
  #file: FileHandle
  #number: number
  /** Up to here the file is good. */
  #size: number
  #hardState: HardState
  #broken: StorageError | null = null

  private constructor(
    folder: string,
    id: NodeId,
    log: { readonly file: FileHandle; readonly number: number; readonly size: number },
    hardState: HardState,
  ) {
    this.#folder = folder
    this.id = id
    this.#file = log.file
    this.#number = log.number
    this.#size = log.size
    this.#hardState = hardState
  }

  /** @param newId of a member that has no data yet */
  static async open(folder: string, newId: NodeId): Promise<Opened> {
    try {
      await makeFolder(folder)
      const numbers = await numbered(folder, LOG.before, LOG.after)
      return numbers.length === 0 ? await Storage.#create(folder, newId) : await Storage.#load(folder, numbers)
    } catch (error) {
      return { kind: 'unusable', text: `${folder}: ${(error as Error).message}` }
    }
  }

  static async #create(folder: string, id: NodeId): Promise<Opened> {
    const snapshots = await numbered(folder, SNAPSHOT.before, SNAPSHOT.after)
    if (snapshots.length > 0) return damaged(folder, 'there is a snapshot but no log')
    const begin = encodeLog([{ kind: 'begin', format: FORMAT, id, snapshotIndex: 0 }])
    await writeWhole(folder, logName(1), begin)
    const file = await open(join(folder, logName(1)), 'r+')
    const restored: Restored = { hardState: { term: 0, vote: null }, snapshot: null, entries: [] }
    const storage = new Storage(folder, id, { file, number: 1, size: begin.length }, restored.hardState)
    return { kind: 'opened', storage, restored, cutBytes: 0 }
  }

  static async #load(folder: string, numbers: readonly number[]): Promise<Opened> {
    const snapshots = await numbered(folder, SNAPSHOT.before, SNAPSHOT.after)
    const newest = snapshots.at(-1)
    const snapshot = newest === undefined ? null : readSnapshot(await readWhole(folder, snapshotName(newest)))
    if (snapshot === 'damaged') return damaged(folder, `${snapshotName(newest ?? 0)} is damaged`)
    const records: LogRecord[] = []
    const last = { number: 0, size: 0, cutBytes: 0 }
    for (const number of numbers) {
      const content = await readWhole(folder, logName(number))
      const { texts, end, rest } = decodeRecords(content)
      const isLast = number === numbers.at(-1)
      if (rest === 'damaged' || (rest === 'torn' && !isLast)) {
        return damaged(folder, `${logName(number)} is damaged at byte ${end} of ${content.length}`)
      }
      for (const text of texts) records.push(JSON.parse(text) as LogRecord)
      if (isLast) Object.assign(last, { number, size: end, cutBytes: content.length - end })
    }
    const restored = replay(snapshot, records)
    if (typeof restored === 'string') return damaged(folder, restored)
    const file = await open(join(folder, logName(last.number)), 'r+')
    if (last.cutBytes > 0) {
      await file.truncate(last.size)
      await file.datasync()
    }
    const storage = new Storage(folder, restored.id, { file, ...last }, restored.hardState)
    // Left over where the program ended between a snapshot and the deletion of what it replaces: harmless.
    await removeFiles(folder, snapshots.slice(0, -1).map(snapshotName))
    return { kind: 'opened', storage, restored, cutBytes: last.cutBytes }
  }

  /**
   * Writes and syncs, in one go. @throws {StorageError} `full`: nothing has been written, it may be tried again;
   * `broken`: nobody knows what is on the disk, and every later call fails too
   */
  async save({ snapshot, entries, hardState }: Pick<Ready, 'snapshot' | 'entries' | 'hardState'>): Promise<void> {
    if (this.#broken) throw this.#broken
    const records: LogRecord[] = []
    if (snapshot) {
      await this.#writeSnapshot(snapshot)
      records.push({ kind: 'installed', index: snapshot.index, term: snapshot.term })
    }
    if (hardState) records.push({ kind: 'hard-state', hardState })
    for (const entry of entries) records.push({ kind: 'entry', entry })
    if (records.length > 0) await this.#append(encodeLog(records))
    this.#hardState = hardState ?? this.#hardState
    if (snapshot) await this.#beginNewLog(snapshot, entries)
  }

  /** The snapshot replaces the log up to it; `entries` follow it. */
  async compact(snapshot: Snapshot, entries: readonly Entry[]): Promise<void> {
    if (this.#broken) throw this.#broken
    await this.#writeSnapshot(snapshot)
    await this.#beginNewLog(snapshot, entries)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #append(bytes: Buffer): Promise<void> {
    const path = join(this.#folder, logName(this.#number))
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await this.#file.write(bytes, done, bytes.length - done, this.#size + done)).bytesWritten
      }
    } catch (error) {
      await this.#cutBack(path)
      throw this.#noted(writeError(error, path))
    }
    try {
      await this.#file.datasync()
    } catch (error) {
      throw this.#noted(new StorageError('broken', `${path} cannot be synced: ${(error as Error).message}`))
    }
    this.#size += bytes.length
  }

  /** Half a batch must not stay: it would look like one that was acknowledged. */
  async #cutBack(path: string): Promise<void> {
    try {
      await this.#file.truncate(this.#size)
    } catch (error) {
      throw this.#noted(new StorageError('broken', `${path} cannot be cut back: ${(error as Error).message}`))
    }
  }

  #noted(error: StorageError): StorageError {
    if (error.kind === 'broken') this.#broken = error
    return error
  }

  async #writeSnapshot(snapshot: Snapshot): Promise<void> {
    await writeWhole(this.#folder, snapshotName(snapshot.index), encodeRecord(JSON.stringify(snapshot)))
  }

  async #beginNewLog(snapshot: Snapshot, entries: readonly Entry[]): Promise<void> {
    const number = this.#number + 1
    const content = encodeLog([
      { kind: 'begin', format: FORMAT, id: this.id, snapshotIndex: snapshot.index },
      // All that the files before it say is void from here on.
      { kind: 'installed', index: snapshot.index, term: snapshot.term },
      { kind: 'hard-state', hardState: this.#hardState },
      ...entries.filter(({ index }) => index > snapshot.index).map((entry) => ({ kind: 'entry', entry }) as const),
    ])
    await writeWhole(this.#folder, logName(number), content)
    const file = await open(join(this.#folder, logName(number)), 'r+')
    const former = this.#file
    this.#file = file
    this.#number = number
    this.#size = content.length
    await former.close()
    const logs = await numbered(this.#folder, LOG.before, LOG.after)
    await removeFiles(this.#folder, logs.filter((one) => one < number).map(logName))
    const snapshots = await numbered(this.#folder, SNAPSHOT.before, SNAPSHOT.after)
    await removeFiles(this.#folder, snapshots.filter((one) => one < snapshot.index).map(snapshotName))
    await syncFolder(this.#folder)
  }
}

function encodeLog(records: readonly LogRecord[]): Buffer {
  return Buffer.concat(records.map((record) => encodeRecord(JSON.stringify(record))))
}

function readSnapshot(content: Buffer): Snapshot | 'damaged' {
  const { texts, rest } = decodeRecords(content)
  const [text] = texts
  return text === undefined || rest !== 'nothing' ? 'damaged' : (JSON.parse(text) as Snapshot)
}

function damaged(folder: string, what: string): Opened {
  const help =
    'This member does not take part, since it may have forgotten what it voted for. To let it begin anew with the data ' +
    'of the others, move the folder away and start it again.'
  return { kind: 'unusable', text: `${folder}: ${what}. ${help}` }
}
