import type { Json } from '../cluster/json.ts'
import { spacedJson } from './spaced-json.ts'

/** An answer before it meets a socket. What else a shape carries is added by the server: see `headers.ts`. */
export type ApiResponse = {
  readonly status: number
  /** `bare` answers carry no headers; `page` answers carry no configured ones and end the connection (spec rest-api.md 2.4). */
  readonly shape: 'bare' | 'text' | 'json' | 'metrics' | 'page' | 'yaml'
  readonly body: string
  /** Headers of this answer alone. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  /** Reason phrase where it is not the usual one of the status. */
  readonly reason?: string
}

export function bare(status: number): ApiResponse {
  return { status, shape: 'bare', body: '' }
}

export function text(status: number, body: string, headers: ApiResponse['headers'] = []): ApiResponse {
  return { status, shape: 'text', body, headers }
}

export function json(status: number, document: Json): ApiResponse {
  return jsonText(status, spacedJson(document))
}

/** As `json`, for a document that is serialized already. */
export function jsonText(status: number, body: string): ApiResponse {
  return { status, shape: 'json', body }
}

/** The store could not be read in time. Clients see a clear answer instead of a closed connection (spec rest-api.md 21.8). */
export function storeUnavailable(): ApiResponse {
  return text(503, 'DCS is not accessible')
}

const PAGES: Readonly<Record<number, readonly [reason: string, explanation: string]>> = {
  400: ['Bad Request', 'The request or its body is not understood'],
  408: ['Request Timeout', 'The request did not arrive in time'],
  409: ['Conflict', 'Somebody else changed the same value; read it again and retry'],
  411: ['Length Required', 'Client must specify Content-Length'],
  413: ['Request Entity Too Large', 'The body is larger than this server accepts'],
  414: ['Request-URI Too Long', 'The request line is longer than this server accepts'],
  431: ['Request Header Fields Too Large', 'The headers are more or longer than this server accepts'],
  500: ['Internal Server Error', 'The request failed for a reason that is in the log of this member'],
  501: ['Not Implemented', 'Server does not support this operation'],
  502: ['Bad Gateway', 'The value is missing in the store, switched off, or could not be written'],
  503: ['Service Unavailable', 'The value is missing in the store'],
  505: ['HTTP Version Not Supported', 'Cannot fulfil this request with this version of HTTP'],
}

/** An HTML page of the known shape. `message` stands for the reason phrase in page and status line. */
export function errorPage(status: number, message?: string): ApiResponse {
  const [reason, explanation] = PAGES[status] ?? ['Error', 'The request failed']
  const shown = escapeHtml(message ?? reason)
  const body = `<!DOCTYPE HTML>
<html lang="en">
    <head>
        <meta charset="utf-8">
        <title>Error response</title>
    </head>
    <body>
        <h1>Error response</h1>
        <p>Error code: ${status}</p>
        <p>Message: ${shown}.</p>
        <p>Error code explanation: ${status} - ${explanation}.</p>
    </body>
</html>
`
  return { status, shape: 'page', body, reason: message ?? reason }
}

/** Clients tell by the words in this page that a path or method is not known (spec rest-api.md 2.3, 14.3). */
export function unsupportedMethod(method: string): ApiResponse {
  return errorPage(501, `Unsupported method ('${method}')`)
}

function escapeHtml(value: string): string {
  return value.replace(/[&<>]/g, (c) => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : '&gt;'))
}
