import { execFile } from 'node:child_process'
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePorts } from '../../lab/ports.ts'

const exec = promisify(execFile)

/** A directory with PostgreSQL's programs: PG_BIN, else the newest that Debian installed. */
export async function postgresBinDir(): Promise<string> {
  const given = process.env['PG_BIN']
  if (given) return given
  const root = '/usr/lib/postgresql'
  const versions = (await readdir(root).catch(() => [])).map(Number).filter((version) => version > 0)
  if (versions.length === 0) throw new Error('no PostgreSQL found: install it, or name its bin directory in PG_BIN')
  return join(root, String(Math.max(...versions)), 'bin')
}

/** PostgreSQL refuses to run as root: a test started as root goes on as `postgres`. Call it before anything else. */
export async function leaveRoot(): Promise<void> {
  if (process.getuid?.() !== 0) return
  const id = async (option: string): Promise<number> => Number((await exec('id', [option, 'postgres'])).stdout)
  const [uid, gid] = await Promise.all([id('-u'), id('-g')])
  process.setgroups?.([gid])
  process.setgid?.(gid)
  process.setuid?.(uid)
  process.env['HOME'] = '/tmp'
  process.chdir('/tmp')
}

/** A database cluster in a temporary directory. Nothing is started yet. */
export interface TestCluster {
  readonly root: string
  readonly dataDir: string
  readonly socketDir: string
  readonly port: number
  readonly binDir: string
  /** Appends to postgresql.conf. */
  configure(lines: string): Promise<void>
  /** Starts it by pg_ctl: a server that the code under test did not start. */
  start(): Promise<void>
  /** Runs SQL by psql over the socket, as superuser `postgres`. @returns the output, unaligned, without headers */
  sql(text: string): Promise<string>
  /** A stopped standby of this running cluster, copied by pg_basebackup; it is removed with this one. */
  standby(): Promise<TestCluster>
  /** Kills whatever still runs and removes everything. */
  remove(): Promise<void>
}

const CONFIGURATION = `
fsync = off
shared_buffers = 8MB
max_connections = 25
max_worker_processes = 2
max_wal_senders = 5
wal_level = replica
wal_log_hints = on
min_wal_size = 32MB
listen_addresses = '127.0.0.1'
log_line_prefix = '%m [%p] '
`

/** initdb takes a second; one result per version and user is kept and copied. Copies share their system identifier. */
async function template(binDir: string): Promise<string> {
  const { stdout } = await exec(join(binDir, 'postgres'), ['--version'])
  const version = /\) (\S+)/.exec(stdout)?.[1] ?? 'unknown'
  const path = `/tmp/matriarch-test-${process.getuid?.() ?? 0}-${version}`
  try {
    await readFile(join(path, 'PG_VERSION'))
    return path
  } catch {
    const making = await mkdtemp(`${path}-`)
    const options = [
      '-D',
      join(making, 'data'),
      '-U',
      'postgres',
      '-A',
      'trust',
      '--no-sync',
      '-E',
      'UTF8',
      '--locale=C',
    ]
    await exec(join(binDir, 'initdb'), options)
    // Somebody else may have been faster: his is as good.
    await rename(join(making, 'data'), path).catch(() => {})
    await rm(making, { recursive: true, force: true })
    return path
  }
}

export async function newCluster(): Promise<TestCluster> {
  const binDir = await postgresBinDir()
  const from = await template(binDir)
  const root = await mkdtemp('/tmp/mt-')
  const dataDir = join(root, 'data')
  await cp(from, dataDir, { recursive: true })
  const [port] = await freePorts(1)
  const cluster = clusterAt(root, dataDir, port as number, binDir)
  await mkdir(cluster.socketDir)
  await cluster.configure(`${CONFIGURATION}port = ${port}\nunix_socket_directories = '${cluster.socketDir}'\n`)
  return cluster
}

function clusterAt(root: string, dataDir: string, port: number, binDir: string): TestCluster {
  const standbys: TestCluster[] = []
  const socketDir = join(root, 'socket')
  const pgCtl = (...args: readonly string[]) => exec(join(binDir, 'pg_ctl'), ['-D', dataDir, ...args])
  const self: TestCluster = {
    root,
    dataDir,
    socketDir,
    port,
    binDir,
    configure: (lines) => appendFile(join(dataDir, 'postgresql.conf'), lines),
    async start() {
      await pgCtl('-w', '-l', join(root, 'log'), 'start')
    },
    async sql(text) {
      const args = ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', socketDir, '-p', String(port), '-U', 'postgres', '-c', text]
      const { stdout } = await exec(join(binDir, 'psql'), [...args, 'postgres'])
      return stdout.trim()
    },
    async standby() {
      const standbyRoot = await mkdtemp('/tmp/mt-')
      const [standbyPort] = await freePorts(1)
      const copy = clusterAt(standbyRoot, join(standbyRoot, 'data'), standbyPort as number, binDir)
      await mkdir(copy.socketDir)
      const source = ['-h', socketDir, '-p', String(port), '-U', 'postgres']
      await exec(join(binDir, 'pg_basebackup'), [
        ...source,
        '-D',
        copy.dataDir,
        '-X',
        'stream',
        '-c',
        'fast',
        '--no-sync',
      ])
      await copy.configure(
        `port = ${standbyPort}\nunix_socket_directories = '${copy.socketDir}'\nprimary_conninfo = 'host=${socketDir} port=${port} user=postgres application_name=standby'\n`,
      )
      await writeFile(join(copy.dataDir, 'standby.signal'), '')
      standbys.push(copy)
      return copy
    },
    async remove() {
      for (const standby of standbys) await standby.remove()
      await pgCtl('-m', 'immediate', '-t', '5', 'stop').catch(() => {})
      await killWhatIsLeft(dataDir)
      await rm(root, { recursive: true, force: true, maxRetries: 3 })
    },
  }
  return self
}

/** A postmaster that a test suspended or orphaned does not obey pg_ctl. */
async function killWhatIsLeft(dataDir: string): Promise<void> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  if (pid > 1 && (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(dataDir)) {
    for (const signal of ['SIGKILL', 'SIGCONT'] as const)
      try {
        process.kill(pid, signal)
      } catch {
        // It is gone.
      }
  }
}
