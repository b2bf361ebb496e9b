/** Where messages for operators go. Levels and names as in the configuration section `log`. */
export interface Log {
  debug(text: string): void
  info(text: string): void
  warning(text: string): void
  error(text: string, cause?: unknown): void
  critical(text: string): void
}
