import { constants, fstat, open, type Stats, write } from 'node:fs'
import { Socket } from 'node:net'
import { promisify } from 'node:util'
import type { Sink } from './sink.ts'

const RETRY_MS = 20

/**
 * Standard error that never holds up anything. `process.stderr` may write synchronously; a write to a full pipe in the
 * thread pool would leave a thread that keeps the process from ever ending. So a pipe or terminal is opened anew without
 * blocking (which leaves the descriptor that children inherit as it is), and a socket, such as the journal's, is left to
 * the event loop.
 */
export function stderrSink(fd = 2): Sink {
  let writer: Promise<Writer> | null = null
  return {
    async write(lines) {
      writer ??= writerFor(fd)
      await (await writer)(Buffer.from(`${lines.join('\n')}\n`))
    },
    close: () => Promise.resolve(),
  }
}

type Writer = (data: Buffer) => Promise<void>

async function writerFor(fd: number): Promise<Writer> {
  const kind: Stats = await promisify(fstat)(fd)
  if (kind.isSocket()) return socketWriter(fd)
  if (!kind.isFIFO() && !kind.isCharacterDevice()) return fileWriter(fd)
  try {
    return fileWriter(
      await promisify(open)(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY),
    )
  } catch {
    // Not permitted after a change of user, or there is no /proc.
    return kind.isFIFO() ? socketWriter(fd) : fileWriter(fd)
  }
}

function socketWriter(fd: number): Writer {
  let socket: Socket
  try {
    socket = new Socket({ fd, readable: false, writable: true })
  } catch {
    // A kind of socket that the event loop cannot handle.
    return fileWriter(fd)
  }
  socket.unref()
  // Each write reports its own error.
  socket.on('error', () => undefined)
  return (data) =>
    new Promise((resolve, reject) => {
      socket.write(data, (error) => (error ? reject(error) : resolve()))
    })
}

function fileWriter(fd: number): Writer {
  return async (data) => {
    let rest = data
    while (rest.length > 0) rest = rest.subarray(await writeSome(fd, rest))
  }
}

async function writeSome(fd: number, data: Buffer): Promise<number> {
  const outcome = await new Promise<number | 'full'>((resolve, reject) => {
    write(fd, data, 0, data.length, null, (error, written) => {
      if (!error) resolve(written)
      else if (error.code === 'EAGAIN') resolve('full')
      else reject(error)
    })
  })
  if (outcome !== 'full') return outcome
  // No event tells when there is room again in a pipe that is written by the thread pool.
  await new Promise((resolve) => {
    setTimeout(resolve, RETRY_MS)
  })
  return 0
}
