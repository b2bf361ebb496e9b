/** Files and programs on the operator's machine. */
export interface Tools {
  /** @throws {CtlError} where the file cannot be read */
  readFile(path: string): Promise<string>
  /** The value of an environment variable; an empty one counts as unset. */
  env(name: string): string | null
  /** Where a program of this name is, if it is in PATH (or the name is a path to one). */
  which(name: string): string | null
  /** Keeps `text` in a private file while `use` works with it; removes it in the end, and when the tool is interrupted. */
  withTemporaryFile<T>(
    name: { readonly prefix: string; readonly suffix: string },
    text: string,
    use: (file: TemporaryFile) => Promise<T>,
  ): Promise<T>
  /** Runs a command line of the shell with one more argument, with the terminal. @returns its exit code */
  runWithTerminal(commandLine: string, argument: string): Promise<number>
  /** Shows text through a program that has the terminal. */
  page(program: string, args: readonly string[], text: string): Promise<void>
}

export interface TemporaryFile {
  readonly path: string
  read(): string
}
