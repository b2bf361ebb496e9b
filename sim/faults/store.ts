import { KEYS } from '../../src/cluster/view.ts'
import type { Exempted } from '../checks/exemptions.ts'
import type { StoreTrouble } from '../store/service.ts'
import type { Keys } from '../store/tree.ts'
import { type Fault, type Scene, victim } from './fault.ts'
import { FOREIGN_IDENTIFIER } from './operator.ts'

function forSome(scene: Scene, trouble: StoreTrouble): () => void {
  const whom = scene.rng.chance(0.5) ? '*' : victim(scene).name
  scene.world.trace.add(whom, `!!! store: ${JSON.stringify(trouble)}`)
  const end = scene.world.store.trouble(whom, trouble)
  return () => {
    scene.world.trace.add(whom, '!!! store well again')
    end()
  }
}

export const storeHangs: Fault = (scene) => forSome(scene, { kind: 'hung', applies: scene.rng.chance(0.3) })
export const storeSlow: Fault = (scene) => forSome(scene, { kind: 'slow', delayMs: scene.rng.between(100, 6000) })
export const storeErrors: Fault = (scene) =>
  forSome(scene, {
    kind: 'error',
    reason: scene.rng.pick(['429 too many requests', '500 internal error', 'half a document']),
    applies: scene.rng.chance(0.2),
  })
export const storeForbids: Fault = (scene) => forSome(scene, { kind: 'forbidden', reason: '403 permission denied' })
export const storeLosesReplies: Fault = (scene) =>
  forSome(scene, { kind: 'lost-replies', share: scene.rng.between(0.1, 0.7) })
export const storeStale: Fault = (scene) => forSome(scene, { kind: 'stale', lagMs: scene.rng.exponential(4000) })

/** An operator's hand: what it does to safety is his, until the cluster is whole again. */
export const leaderKeyDeleted: Fault = ({ world }) => {
  world.trace.add('store', '!!! leader key deleted')
  world.handsIn(['two writers', 'lost rows'])
  world.store.tree.delete(KEYS.leader, null)
  return undefined
}

const STORE_LOST: readonly Exempted[] = [
  'two writers',
  'lost rows',
  'timeline twice',
  'mixed histories',
  'two clusters',
  'healing alone',
]

export const storeWiped: Fault = ({ world }) => {
  world.trace.add('store', '!!! wiped')
  world.handsIn(STORE_LOST)
  world.store.tree.wipe()
  return undefined
}

/** What was taken a minute ago comes back now. */
export const storeRestored: Fault = ({ world }) => {
  const backup: Keys = world.store.tree.past(60_000, 0)
  world.trace.add('store', '!!! restored from a backup')
  world.handsIn(STORE_LOST)
  const { tree } = world.store
  const identifier = tree.keys.get(KEYS.initialize)
  tree.restore(backup)
  if (identifier && tree.keys.get(KEYS.initialize)?.text === FOREIGN_IDENTIFIER)
    tree.put(KEYS.initialize, identifier.text, null, null)
  return undefined
}
