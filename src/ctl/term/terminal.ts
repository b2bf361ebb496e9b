/** Where the tool talks with its operator. Standard input need not be a terminal. */
export interface Terminal {
  /** Standard output is a terminal. */
  readonly isInteractive: boolean
  /** Standard error is a terminal: progress may be shown there. */
  readonly showsProgress: boolean
  /** Columns of standard output now; not known where it is no terminal. */
  readonly width?: number | undefined
  write(text: string): void
  writeError(text: string): void
  /** Prints `question` and reads one line; `null` at the end of input. */
  readLine(question: string): Promise<string | null>
  /** As `readLine`, without showing what is typed. */
  readSecret(question: string): Promise<string | null>
  /** All that is left of standard input. */
  readAll(): Promise<string>
}
