import { createServer } from 'node:net'

/** Below the range from which Linux takes the local ports of outgoing connections. */
const DEFAULT_RANGE = '20000-32000'

/**
 * Ports of 127.0.0.1 on which nothing listens, each given out once in this process. `MATRIARCH_PORTS=21000-21999` says
 * where to look. Another process may still be faster; ranges keep those apart who run at the same time.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await nextFreePort())
  return ports
}

const range = (process.env['MATRIARCH_PORTS'] ?? DEFAULT_RANGE).split('-').map(Number)
const [low = 0, high = 0] = range
/** Test files run at the same time in processes with neighbouring numbers: each begins so far from the next. */
const DISTANCE = 61
let next = low + ((process.pid * DISTANCE) % Math.max(1, high - low))
const given = new Set<number>()

async function nextFreePort(): Promise<number> {
  for (let tries = 0; tries <= high - low; tries += 1) {
    next = next >= high ? low : next + 1
    if (!given.has(next) && (await isFree(next))) {
      given.add(next)
      return next
    }
  }
  throw new Error(`no free port in ${low}-${high} (MATRIARCH_PORTS)`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = createServer()
    server.once('error', () => answer(false))
    server.listen(port, '127.0.0.1', () => server.close(() => answer(true)))
  })
}
