/**
 * A short text for why there was no answer, fit for logs: what the operating system, OpenSSL or Node's HTTP parser said.
 * These texts hold addresses and names of certificates, never headers, bodies or keys.
 */
export function failureReason(error: unknown, signal?: AbortSignal): string {
  if (signal?.aborted) return isTimeout(signal.reason) ? 'timed out' : 'cancelled'
  if (error instanceof AggregateError && error.errors.length > 0) {
    // One error for each address that the name has; the operator wants all of them once.
    return [...new Set(error.errors.map((one) => failureReason(one)))].join(', ')
  }
  if (!(error instanceof Error)) return String(error)
  const code = (error as NodeJS.ErrnoException).code
  return error.message === '' ? (code ?? error.name) : error.message
}

export function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError'
}
