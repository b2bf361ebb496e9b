import { isObject, type Json, type JsonObject } from '../../cluster/json.ts'
import type { HttpStream } from '../../http/client.ts'
import { type Change } from './cache.ts'
import { errorFrom, type ServerError, serverError } from './errors.ts'
import { rangeOfPrefix } from './kv.ts'
import { decode, following, type Header, int64, JsonDocuments, readHeader, readKeyValue } from './wire.ts'

/** One message of a watch as understood. */
export type WatchMessage =
  | { readonly kind: 'created'; readonly header: Header }
  | { readonly kind: 'changes'; readonly header: Header; readonly changes: readonly Change[] }
  /** A sign of life without changes. */
  | { readonly kind: 'progress'; readonly header: Header }
  /** The server ended the watch. `compacted`: it no longer has the past that was asked for. */
  | { readonly kind: 'ended'; readonly error: ServerError; readonly compacted: boolean }

export function watchRequest(prefix: string, afterRevision: string): JsonObject {
  return { create_request: { ...rangeOfPrefix(prefix), start_revision: following(afterRevision) } }
}

/** A document longer than this is no watch message: etcd itself refuses values above 1.5 MB by default. */
const LONGEST_DOCUMENT = 64 * 1024 * 1024

/** Messages in the order sent; ends where the stream does, and after `ended`. */
export async function* readWatch(stream: HttpStream): AsyncGenerator<WatchMessage> {
  const documents = new JsonDocuments()
  for await (const chunk of stream.chunks) {
    for (const document of documents.push(chunk)) {
      const message = readMessage(document)
      yield message
      if (message.kind === 'ended') return
    }
    if (documents.waiting > LONGEST_DOCUMENT) {
      yield ended('a message without an end')
      return
    }
  }
}

export function readMessage(document: Json | undefined): WatchMessage {
  if (!isObject(document)) return ended('a message that is not a JSON object')
  const result = document['result']
  if (!isObject(result)) {
    return { kind: 'ended', error: errorFrom(document) ?? serverError('a message without a result'), compacted: false }
  }
  const header = readHeader(result)
  if (result['canceled'] === true) {
    const reason = result['cancel_reason']
    const compacted = int64(result['compact_revision']) !== '0'
    const text =
      typeof reason === 'string' ? reason : compacted ? 'the past was compacted away' : 'the watch was cancelled'
    return { kind: 'ended', error: serverError(text), compacted }
  }
  if (result['created'] === true) return { kind: 'created', header }
  const events = result['events']
  if (!Array.isArray(events)) return { kind: 'progress', header }
  const changes = (events as readonly Json[]).map(readChange)
  if (changes.some((change) => change === null)) return ended('an event that cannot be read')
  return { kind: 'changes', header, changes: changes.filter((change) => change !== null) }
}

function readChange(event: Json): Change | null {
  if (!isObject(event)) return null
  const kv = readKeyValue(event['kv'])
  if (!kv) return null
  if (event['type'] === 'DELETE' || event['type'] === 1) {
    const raw = event['kv']
    return { kind: 'delete', key: decode((raw as JsonObject)['key']), modRevision: kv.modRevision }
  }
  return { kind: 'put', kv }
}

function ended(text: string): WatchMessage {
  return { kind: 'ended', error: serverError(text), compacted: false }
}
