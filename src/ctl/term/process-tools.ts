import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { accessSync, constants, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { CtlError } from '../errors.ts'
import type { Tools } from './tools.ts'

export interface ProcessTools extends Tools {
  /** Removes temporary files that are in use; for the way out on Ctrl-C. */
  cleanUp(): void
  /** Another program has the terminal: Ctrl-C is for it. */
  isTerminalLent(): boolean
}

export function processTools(env: NodeJS.ProcessEnv): ProcessTools {
  const temporary = new Set<string>()
  let lent = 0
  const set = (name: string): string | null => env[name] || null
  const which = (name: string): string | null => {
    if (name.includes('/')) return isExecutable(name) ? name : null
    const folders = (env['PATH'] ?? '').split(delimiter)
    return folders.map((folder) => join(folder, name)).find(isExecutable) ?? null
  }
  const lend = async <T>(use: () => Promise<T>): Promise<T> => {
    lent += 1
    try {
      return await use()
    } finally {
      lent -= 1
    }
  }
  return {
    env: set,
    which,
    readFile: async (path) => {
      try {
        return await readFile(path, 'utf8')
      } catch (error) {
        throw new CtlError(`Can not read ${path}: ${reasonOf(error)}`)
      }
    },
    withTemporaryFile: async ({ prefix, suffix }, text, use) => {
      const path = join(tmpdir(), `${prefix}${randomBytes(6).toString('hex')}${suffix}`)
      writeFileSync(path, text, { flag: 'wx', mode: 0o600 })
      temporary.add(path)
      try {
        return await use({ path, read: () => readFileSync(path, 'utf8') })
      } finally {
        rmSync(path, { force: true })
        temporary.delete(path)
      }
    },
    // A path with blanks is one program; anything else may have arguments, which the shell understands.
    runWithTerminal: (commandLine, argument) =>
      lend(() =>
        which(commandLine) === null
          ? exitCode('/bin/sh', ['-c', `${commandLine} "$@"`, commandLine, argument])
          : exitCode(commandLine, [argument]),
      ),
    page: (program, args, text) => lend(() => feed(program, args, text)),
    cleanUp: () => {
      for (const path of temporary) rmSync(path, { force: true })
    },
    isTerminalLent: () => lent > 0,
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'no such file'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'it is a directory'
  return code ?? 'unknown error'
}

function exitCode(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' })
    child.once('error', (error) => reject(new CtlError(`Can not run ${program}: ${reasonOf(error)}`)))
    child.once('close', (code, signal) => resolve(code ?? (signal === null ? 1 : -1)))
  })
}

function feed(program: string, args: readonly string[], text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'inherit', 'inherit'] })
    // Whoever quits the pager early does not read to the end.
    child.stdin.on('error', () => {})
    child.once('error', (error) => reject(new CtlError(`Can not run ${program}: ${reasonOf(error)}`)))
    child.once('close', () => resolve())
    child.stdin.end(text)
  })
}
