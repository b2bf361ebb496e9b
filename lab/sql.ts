import pg from 'pg'

export interface ServerAddress {
  /** Default 127.0.0.1. */
  readonly host?: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** Default `postgres`. */
  readonly database?: string
  /** Settings of the session, as in `-c name=value`. */
  readonly settings?: Readonly<Record<string, string>>
}

export type Row = Readonly<Record<string, unknown>>

/** One connection to one server. A query that misses its limit ends the connection. */
export class Session {
  readonly #client: pg.Client
  #open = true

  private constructor(client: pg.Client) {
    this.#client = client
    client.on('error', () => this.destroy())
    client.on('end', () => {
      this.#open = false
    })
  }

  /** @throws when the server does not let us in within `limitMs` */
  static async open(address: ServerAddress, limitMs: number): Promise<Session> {
    const settings = Object.entries(address.settings ?? {}).map(([name, value]) => `-c ${name}=${value}`)
    const client = new pg.Client({
      host: address.host ?? '127.0.0.1',
      port: address.port,
      user: address.user,
      password: address.password,
      database: address.database ?? 'postgres',
      options: settings.join(' '),
      connectionTimeoutMillis: limitMs,
    })
    const session = new Session(client)
    try {
      await client.connect()
    } catch (error) {
      session.destroy()
      throw error
    }
    return session
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** @throws the server's error (with its `code`), or that it did not answer within `limitMs` */
  async query(sql: string, values: readonly unknown[] = [], limitMs = 10_000): Promise<readonly Row[]> {
    const timer = setTimeout(() => this.destroy(), limitMs)
    try {
      const result: { rows?: Row[] } = await this.#client.query(sql, values.length > 0 ? [...values] : undefined)
      return result.rows ?? []
    } finally {
      clearTimeout(timer)
    }
  }

  destroy(): void {
    this.#open = false
    const { stream } = (this.#client as unknown as { connection: { stream: { destroy(error?: Error): void } } })
      .connection
    stream.destroy(new Error('connection given up'))
  }
}

/** Opens a connection for one statement. */
export async function query(
  address: ServerAddress,
  sql: string,
  values: readonly unknown[] = [],
  limitMs = 10_000,
): Promise<readonly Row[]> {
  const session = await Session.open(address, Math.min(limitMs, 3000))
  try {
    return await session.query(sql, values, limitMs)
  } finally {
    session.destroy()
  }
}
