import { joinHostPort, splitHostPort } from '../cluster/host-port.ts'

const POSTGRES_PORT = 5432

/** `postgres://host:port/database` as members publish it (spec dcs.md 2.5). */
export function connUrl(address: string, database: string): string {
  const { host, port } = splitHostPort(address, POSTGRES_PORT)
  return `postgres://${joinHostPort(host, port)}/${database}`
}
