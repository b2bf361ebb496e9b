/** An answer of a REST server. */
export interface Answer {
  readonly status: number
  readonly text: string
  /** The body as JSON; `null` when it is none. */
  readonly json: unknown
}

/** @returns `null` when nothing answered in time: refused, reset, too slow */
export async function ask(
  method: string,
  url: string,
  options: {
    readonly body?: unknown
    readonly limitMs?: number
    readonly headers?: Readonly<Record<string, string>>
  } = {},
): Promise<Answer | null> {
  try {
    const response = await fetch(url, {
      method,
      headers: { ...(options.body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: AbortSignal.timeout(options.limitMs ?? 3000),
    })
    const text = await response.text()
    return { status: response.status, text, json: parsed(text) }
  } catch {
    return null
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
