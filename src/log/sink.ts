/** Where lines go in the end. */
export interface Sink {
  /** Writes whole lines, in order; rejects when they could not be written. May take as long as the disk takes. */
  write(lines: readonly string[]): Promise<void>
  close(): Promise<void>
}
