import { execFile } from 'node:child_process'

/** A busy machine has been seen to hold such a command up for more than twenty seconds. */
const LIMIT_MS = 120_000

/** Runs a command of the system; what it is given on stdin may be a script. @throws with what it wrote to stderr */
export function command(argv: readonly string[], stdin = ''): Promise<string> {
  const [program = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { encoding: 'utf8', timeout: LIMIT_MS }, (error, stdout, stderr) => {
      if (error)
        reject(
          new Error(
            `${argv.join(' ')}: ${stderr.trim().split('\n')[0] || (error.killed ? 'did not end in time' : error.message)}`,
          ),
        )
      else resolve(stdout)
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(stdin)
  })
}
