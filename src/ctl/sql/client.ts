/** A column of a result; the type is PostgreSQL's number for it. */
export interface SqlColumn {
  readonly name: string
  readonly typeOid: number
}

/** Texts as the server sent them. */
export interface SqlRows {
  readonly kind: 'rows'
  readonly columns: readonly SqlColumn[]
  readonly rows: readonly (readonly (string | null)[])[]
}

export interface SqlFailure {
  readonly kind: 'failed'
  /** `null`: it is no error of a server. */
  readonly sqlState: string | null
  readonly message: string
}

export type SqlAnswer = SqlRows | { readonly kind: 'nothing to fetch' } | SqlFailure

export interface SqlSession {
  /** Runs a text of one statement or several; the answer is that of the last one. */
  run(sql: string): Promise<SqlAnswer>
  close(): void
}

/** Connection parameters by the names that libpq gives them. */
export type Keywords = Readonly<Record<string, string>>

/** Opens connections to PostgreSQL. Never rejects. */
export interface SqlClient {
  connect(keywords: Keywords): Promise<{ readonly kind: 'connected'; readonly session: SqlSession } | SqlFailure>
}
