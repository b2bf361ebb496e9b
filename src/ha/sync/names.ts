import type { Cycle } from '../world.ts'

/** Sets synchronous_standby_names, in force with the next reload of the server. `null`: nobody is waited for. */
export async function setNames(c: Cycle, text: string | null): Promise<void> {
  await c.world.postgres.setSynchronousStandbyNames(text, c.signal)
}
