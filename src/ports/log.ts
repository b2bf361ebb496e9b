/** Where messages for operators go. Levels and names as in the configuration section `log`. */
export interface Log {
  /** False: `debug` goes nowhere now, and who has thousands of lines a second need not make them. */
  readonly isDebug?: boolean
  debug(text: string): void
  info(text: string): void
  warning(text: string): void
  error(text: string, cause?: unknown): void
  critical(text: string): void
}
