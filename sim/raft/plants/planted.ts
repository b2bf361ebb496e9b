import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { RaftRunResult, RaftWorld } from '../world.ts'
import type { Plant } from './plants.ts'

/** What the world of Raft consists of. */
const PARTS = ['src/cluster', 'src/ports', 'src/raft', 'sim/engine', 'sim/raft']

/** The world around a Raft with an error in it: a copy of the compiled modules, changed. Nothing of it stays in the real ones. */
export async function worldWith(
  plant: Plant,
): Promise<{ readonly World: typeof RaftWorld; readonly remove: () => void }> {
  const built = join(import.meta.dirname, '..', '..', '..')
  const folder = mkdtempSync(join(tmpdir(), 'matriarch-planted-'))
  for (const part of PARTS) cpSync(join(built, part), join(folder, part), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}')
  const file = join(folder, plant.file)
  let text = readFileSync(file, 'utf8')
  for (const [before, instead] of plant.edits) {
    const parts = text.split(before)
    if (parts.length !== 2) throw new Error(`${plant.file}: found ${parts.length - 1} times, not once: ${before}`)
    text = parts.join(instead)
  }
  writeFileSync(file, text)
  const module = (await import(pathToFileURL(join(folder, 'sim/raft/world.js')).href)) as {
    RaftWorld: typeof RaftWorld
  }
  return { World: module.RaftWorld, remove: () => rmSync(folder, { recursive: true }) }
}

/** Runs seeds from 1 on until one breaks an invariant. @returns it; `null`: none does */
export async function hunt(World: typeof RaftWorld, seeds: number, turbulentMs: number): Promise<RaftRunResult | null> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const result = await new World(String(seed)).run(turbulentMs)
    if (result.violation) return result
  }
  return null
}
