import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '../../lab/cluster.ts'
import { giveTo, serverUser } from '../../lab/server-user.ts'

/** A shell script of the user that leaves behind how it was called. */
export interface Script {
  readonly path: string
  /** Each call so far: its arguments. */
  readonly calls: () => readonly (readonly string[])[]
  /** Environment of the last call. */
  readonly environment: () => Readonly<Record<string, string>>
}

/** Separates calls in the file of arguments; no argument of a test holds it. */
const END_OF_CALL = '--- end of call'

/** Writes `<name>.sh` into the folder of the cluster. `body` runs after the call was written down. */
export function script(cluster: Cluster, name: string, body = ''): Script {
  const path = join(cluster.folder, `${name}.sh`)
  const args = join(cluster.folder, `${name}.args`)
  const env = join(cluster.folder, `${name}.env`)
  const lines = [
    '#!/bin/bash',
    `for arg in "$@"; do echo "$arg"; done > ${args}.$$`,
    `echo '${END_OF_CALL}' >> ${args}.$$`,
    `cat ${args}.$$ >> ${args}; rm ${args}.$$`,
    `env > ${env}`,
    body,
  ]
  writeFileSync(path, `${lines.join('\n')}\n`)
  chmodSync(path, 0o755)
  giveTo(serverUser(), path)
  return {
    path,
    calls: () =>
      textOf(args)
        .split(`${END_OF_CALL}\n`)
        .slice(0, -1)
        .map((call) => call.split('\n').slice(0, -1)),
    environment: () =>
      Object.fromEntries(
        textOf(env)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      ),
  }
}

function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}
