import { type ChildProcess, spawn } from 'node:child_process'
import type { Etcd } from '../lab/etcd.ts'
import { command } from './shell.ts'

/** Where the relay listens inside the host of the server. */
const RELAY_PORT = 12_379

/**
 * Lets every answer of a store server to its clients come later, by a relay on its host that new connections are led
 * to. What the servers tell each other is not delayed. Needs no support of the kernel for delays (`tc netem`).
 * @returns the relay; the redirection ends with the host
 */
export async function delayAnswers(server: Etcd, ms: number): Promise<ChildProcess> {
  const { namespace, address } = server.host
  const inside = [`--net=/run/netns/${namespace}`]
  const rules = `table ip late {
  chain arriving {
    type nat hook prerouting priority -100;
    tcp dport ${server.port} redirect to :${RELAY_PORT}
  }
}
`
  await command(['nsenter', ...inside, 'nft', '-f', '-'], rules)
  const words = [...inside, process.execPath, '-e', relay(address, server.port, ms)]
  return spawn('nsenter', words, { stdio: 'ignore', detached: true })
}

function relay(address: string, port: number, ms: number): string {
  return `const net = require('node:net')
net.createServer((client) => {
  const server = net.connect(${port}, '${address}')
  const later = (act) => setTimeout(act, ${ms})
  client.on('data', (data) => server.write(data))
  client.on('error', () => {}).on('close', () => server.destroy())
  server.on('data', (data) => later(() => client.write(data)))
  server.on('error', () => {}).on('close', () => later(() => client.destroy()))
}).listen(${RELAY_PORT})`
}
