import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** Below the range from which Linux takes the local ports of outgoing connections. */
const DEFAULT_RANGE = '20000-32000'

/**
 * So many ports belong to one process as long as it lives: a member that is down does not listen, and another test that runs
 * at the same time would take its port.
 */
const BLOCK = 100

const [low = 0, high = 0] = (process.env['MATRIARCH_PORTS'] ?? DEFAULT_RANGE).split('-').map(Number)
/** Of the block that was claimed last. */
let left: number[] = []

/** Where everybody on this machine looks: suites have temporary folders of their own. */
const CLAIMS = process.env['MATRIARCH_PORT_CLAIMS'] ?? '/tmp'

/** Ports of 127.0.0.1 on which nothing listens, each given out once. `MATRIARCH_PORTS=21000-21999` says where to look. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    if (left.length === 0) left = claimBlock()
    const port = left.shift()
    if (port !== undefined && (await isFree(port))) ports.push(port)
  }
  return ports
}

function claimBlock(): number[] {
  for (let first = low; first + BLOCK <= high + 1; first += BLOCK) {
    const claim = join(CLAIMS, `matriarch-ports-${first}`)
    if (!claimed(claim)) continue
    process.once('exit', () => rmSync(claim, { force: true }))
    return Array.from({ length: BLOCK }, (_, i) => first + i)
  }
  throw new Error(`no free ports in ${low}-${high} (MATRIARCH_PORTS)`)
}

function claimed(claim: string): boolean {
  try {
    if (isForsaken(claim)) rmSync(claim, { force: true })
    writeFileSync(claim, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    return false
  }
}

function isForsaken(claim: string): boolean {
  try {
    process.kill(Number(readFileSync(claim, 'utf8')), 0)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = createServer()
    server.once('error', () => answer(false))
    server.listen(port, '127.0.0.1', () => server.close(() => answer(true)))
  })
}
