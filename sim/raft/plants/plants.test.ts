import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hunt, worldWith } from './planted.ts'
import { PLANTS } from './plants.ts'

/** As `npm run sim:raft` runs them. */
const TURBULENT_MS = 60_000

for (const plant of PLANTS) {
  test(`planted in Raft: ${plant.name}: the simulation finds it within ${plant.seeds} seeds`, async (t) => {
    const { World, remove } = await worldWith(plant)
    t.after(remove)
    const found = await hunt(World, plant.seeds, TURBULENT_MS)
    assert.ok(found, `seeds 1 to ${plant.seeds} broke nothing`)
    t.diagnostic(`seed ${found.seed}: ${found.violation?.invariant}`)
  })
}
