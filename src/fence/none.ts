import type { Fence } from '../ports/fence.ts'

/** No fence: the agent alone ends a primary. */
export const noFence: Fence = {
  activate: async () => true,
  isRunning: false,
  isHealthy: true,
  keepAlive: async () => {},
  disable: async () => {},
}
