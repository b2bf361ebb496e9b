import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '../../lab/cluster.ts'
import type { ConfigDocument, Member } from '../../lab/member.ts'

/**
 * Gives a member its own folder of PostgreSQL's programs, in which one of them first runs some lines of bash; `real` is
 * a variable with the path of the real one, which runs afterwards unless the lines exit.
 */
export function interceptProgram(cluster: Cluster, member: Member, name: string, lines: readonly string[]): void {
  const folder = join(cluster.folder, `bin-${member.name}`)
  const real = cluster.programs.postgresBin
  mkdirSync(folder)
  for (const other of readdirSync(real)) if (other !== name) symlinkSync(join(real, other), join(folder, other))
  const text = ['#!/bin/bash', `real=${real}/${name}`, ...lines, 'exec "$real" "$@"', '']
  writeFileSync(join(folder, name), text.join('\n'), { mode: 0o755 })
  const section = member.config['postgresql'] as ConfigDocument
  section['bin_dir'] = folder
}
