import { write } from 'node:fs'
import type { Sink } from './sink.ts'

const RETRY_MS = 20

/**
 * Standard error through the thread pool: `process.stderr` writes to pipes synchronously, so a reader that stopped
 * reading would stop the whole agent.
 */
export function stderrSink(fd = 2): Sink {
  return {
    async write(lines) {
      let rest = Buffer.from(`${lines.join('\n')}\n`)
      while (rest.length > 0) rest = rest.subarray(await writeSome(fd, rest))
    },
    close: () => Promise.resolve(),
  }
}

async function writeSome(fd: number, data: Buffer): Promise<number> {
  const outcome = await new Promise<number | 'full'>((resolve, reject) => {
    write(fd, data, 0, data.length, null, (error, written) => {
      if (!error) resolve(written)
      // The other end made the pipe non-blocking and does not read now.
      else if (error.code === 'EAGAIN') resolve('full')
      else reject(error)
    })
  })
  if (outcome !== 'full') return outcome
  await new Promise((resolve) => {
    setTimeout(resolve, RETRY_MS)
  })
  return 0
}
