import { setPause } from '../faults/operator.ts'
import { release } from '../faults/processes.ts'
import type { Scenario } from '../scenario.ts'
import { overriding } from '../world/filters.ts'

export const leftInPause: Scenario = {
  name: 'the agent of the primary is stopped in pause, and the cluster is resumed without it',
  guard: {
    name: 'the server of a leader that was left in pause is asked itself',
    out: {
      filters: {
        postgres: (postgres) => overriding(postgres, { roleOf: () => Promise.resolve('not-running') }),
      },
    },
  },
  async play(stage) {
    const { world, leader } = stage
    setPause(world, true)
    await stage.run(20_000)
    world.heldDown.add(leader.name)
    leader.agent?.terminate()
    await stage.run(10_000)
    setPause(world, false)
    await stage.run(120_000)
    stage.expect(leader.server.isWritable, 'the primary goes on')
    release(world, leader)
    await stage.settled()
    stage.expect(stage.leader === leader, 'the primary is still the same')
  },
}
