import { isObject, type Json } from '../../cluster/json.ts'
import { firstDocument } from './wire.ts'

/** gRPC status codes, as far as etcd uses them. */
export const CODE = {
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  unavailable: 14,
  unauthenticated: 16,
} as const

/** An error that the server itself reported. */
export interface ServerError {
  readonly code: number
  readonly message: string
}

export const TEXT = {
  leaseNotFound: 'etcdserver: requested lease not found',
  authenticationFailed: 'etcdserver: authentication failed, invalid user ID or password',
  authenticationOff: 'etcdserver: authentication is not enabled',
  userNameEmpty: 'etcdserver: user name is empty',
  permissionDenied: 'etcdserver: permission denied',
  invalidToken: 'etcdserver: invalid auth token',
  authRevisionOld: 'etcdserver: revision of auth store is old',
} as const

/** Texts that decide by themselves: releases and the gateway give them different codes (spec dcs.md 3.2). */
const CODE_OF_TEXT: Readonly<Record<string, number>> = {
  'context deadline exceeded': CODE.deadlineExceeded,
  [TEXT.leaseNotFound]: CODE.notFound,
  [TEXT.authenticationFailed]: CODE.invalidArgument,
  [TEXT.authenticationOff]: CODE.failedPrecondition,
  [TEXT.userNameEmpty]: CODE.invalidArgument,
  [TEXT.permissionDenied]: CODE.permissionDenied,
  [TEXT.invalidToken]: CODE.unauthenticated,
  [TEXT.authRevisionOld]: CODE.invalidArgument,
}

const REAUTHENTICATE: readonly string[] = [
  TEXT.userNameEmpty,
  TEXT.permissionDenied,
  TEXT.invalidToken,
  TEXT.authRevisionOld,
]

/**
 * What an error answer means for the one who asked:
 * `elsewhere`: this server cannot serve now, another may (like a transport error);
 * `later`: the same may work after a pause;
 * `token`: log in again and repeat;
 * `no`: the server has decided, nothing was done;
 * `unclear`: it says nothing we know: whether it was done is open.
 */
export type Meaning = 'elsewhere' | 'later' | 'token' | 'no' | 'unclear'

export function meaning(error: ServerError): Meaning {
  if (needsToken(error)) return 'token'
  switch (error.code) {
    case CODE.unavailable:
      return 'elsewhere'
    case CODE.deadlineExceeded:
    case CODE.resourceExhausted:
      return 'later'
    case CODE.failedPrecondition:
      return error.message === TEXT.authenticationOff ? 'no' : 'later'
    case CODE.invalidArgument:
    case CODE.notFound:
    case CODE.permissionDenied:
    case CODE.outOfRange:
    case CODE.unauthenticated:
      return 'no'
    default:
      return 'unclear'
  }
}

export function needsToken(error: ServerError): boolean {
  return REAUTHENTICATE.some((text) => error.message.includes(text))
}

export function isLeaseNotFound(error: ServerError): boolean {
  return error.message.includes(TEXT.leaseNotFound)
}

/** Reads the body of an answer whose status is 400 or more. A body that cannot be read is `Unknown`. */
export function readServerError(status: number, body: string): ServerError {
  const document = firstDocument(body)
  const error = document ? errorFrom(document) : null
  if (error) return error
  // What a proxy or an overloaded gateway says by its status alone.
  if (status === 429) return { code: CODE.resourceExhausted, message: 'HTTP status 429' }
  if (status === 502 || status === 503 || status === 504) {
    return { code: CODE.unavailable, message: `HTTP status ${status}` }
  }
  return { code: CODE.unknown, message: `HTTP status ${status}` }
}

/**
 * The error in an answer or a message of a stream: `{"error","message","code"}` with fields that may be capitalised,
 * or an `error` object with `grpc_code` or `code`. @returns `null` where there is none
 */
export function errorFrom(document: Json | undefined): ServerError | null {
  if (!isObject(document)) return null
  const error = document['error'] ?? document['Error']
  const fields = isObject(error) ? error : document
  const text = fields['message'] ?? fields['Message'] ?? error
  const number = fields['grpc_code'] ?? fields['code'] ?? fields['Code']
  if (error === undefined && text === undefined && number === undefined) return null
  return serverError(typeof text === 'string' ? text : '', typeof number === 'number' ? number : CODE.unknown)
}

/** Also for the text in `cancel_reason` of a watch, such as `rpc error: code = Unauthenticated desc = ...`. */
export function serverError(text: string, code: number = CODE.unknown): ServerError {
  const message = text.trim()
  if (message.includes('not a primary lessor')) return { code: CODE.unavailable, message }
  const known = Object.entries(CODE_OF_TEXT).find(([one]) => message === one || message.endsWith(`desc = ${one}`))
  return { code: known ? known[1] : code, message }
}
