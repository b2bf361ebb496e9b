import { createServer } from 'node:net'

/**
 * Two programs on one data directory would ruin it; whoever has the port has the directory.
 * @returns why the port cannot be had; `null`: it can
 */
export function isPortFree({
  host,
  port,
}: {
  readonly host: string | null
  readonly port: number
}): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve(`cannot listen at ${host ?? '*'}:${port}: ${error.message}`))
    const done = (): void => void server.close(() => resolve(null))
    if (host === null) server.listen(port, done)
    else server.listen(port, host, done)
  })
}
