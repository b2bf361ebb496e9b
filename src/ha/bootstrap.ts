import { NameSet } from '../cluster/name-set.ts'
import { minimumSync, syncMode } from '../cluster/settings.ts'
import { STRICT_PLACEHOLDER } from '../cluster/standby-names.ts'
import { isNofailover } from '../cluster/tags.ts'
import { elapsedMs, later } from '../cluster/time.ts'
import { isLocked, isSystemIdentifier, leaderMember } from '../cluster/view.ts'
import { bootstrapStandbyLeader, chooseCloneSource, cloneAndFollow, copyOfRemote } from './clone.ts'
import { isPrimary } from './facts.ts'
import { takeLock } from './lock.ts'
import { type CycleResult, fatal, result } from './messages.ts'
import { checkpointAfterPromotion } from './post-promotion.ts'
import { beginOrBusy } from './rewind.ts'
import { storeOutage } from './store-outage.ts'
import { writeSync } from './sync/key.ts'
import { setNames } from './sync/names.ts'
import { reloadView } from './view-loading.ts'
import { type Cycle, did, inStore, saw } from './world.ts'

/** Nothing in the data directory: make a new cluster, or copy one (spec ha.md 4.1). */
export async function fillEmptyDirectory(c: Cycle): Promise<CycleResult> {
  const { view, world, settings } = c
  const { postgres } = world
  const nofailover = isNofailover(world.identity().tags)
  if (view.initialize !== null) c.memory.bootstrap.missingSince = null
  if (!isLocked(view) && view.initialize === null && !nofailover && postgres.hasBootstrapSection())
    return someoneMayHaveData(c) ? result('wait-for-leader') : raceForInitialize(c)
  const source = isLocked(view) ? chooseCloneSource(c) : copyOfRemote(c)
  if (source) {
    return beginOrBusy(c, `bootstrap ${source.text}`, result('clone', source.text), (signal) =>
      cloneAndFollow(c, source.source, signal),
    )
  }
  if (postgres.canCloneWithoutSource(settings) && view.initialize !== '') {
    const text = '(without leader)'
    return beginOrBusy(c, `bootstrap ${text}`, result('clone', text), (signal) => cloneAndFollow(c, null, signal))
  }
  return settings.standbyCluster ? result('wait-for-standby-leader') : result('wait-for-leader')
}

/**
 * A store that was wiped looks like one of a new cluster. Who has the data of the old one writes `initialize` again within a
 * cycle; a new cluster begun before that would take its name, and nobody could join it. So a member that has lost its data
 * waits while another one shows that it has some, and for `ttl` where it knows that there was a cluster.
 */
function someoneMayHaveData(c: Cycle): boolean {
  const { memory, settings, view, world } = c
  const holder = view.members.find(
    ({ name, data }) => name !== world.name && data.role !== null && data.role !== 'uninitialized',
  )
  const wasInitialized = isSystemIdentifier(memory.store.lockedView?.initialize ?? null)
  if (wasInitialized) memory.bootstrap.missingSince ??= world.clock.now()
  const { missingSince } = memory.bootstrap
  const mustWait = missingSince !== null && elapsedMs(missingSince, world.clock.now()) < settings.ttlMs
  if (!holder && !mustWait) return false
  saw(c, 'no initialize key, yet there may be data', { member: holder?.name ?? null })
  return true
}

/** Exactly one member may initialize: the one that creates the key. */
async function raceForInitialize(c: Cycle): Promise<CycleResult> {
  const { memory, world, settings } = c
  const won = await inStore(c, (budget) => world.dcs.writeInitialize('', { createOnly: true }, budget))
  if (won.kind === 'unknown') return storeOutage(c)
  if (won.kind === 'refused') return result('initialize-lost')
  memory.bootstrap.active = true
  memory.bootstrap.result = null
  did(c, 'win initialize')
  if (settings.standbyCluster) {
    return beginOrBusy(c, 'bootstrap_standby_leader', result('bootstrap-standby-leader'), async (signal) => {
      memory.bootstrap.result = await bootstrapStandbyLeader(c, signal)
    })
  }
  return beginOrBusy(c, 'bootstrap', result('bootstrap'), async (signal) => {
    if (!(await world.postgres.bootstrap(signal))) memory.bootstrap.result = false
  })
}

/** The initialization under way, between its steps (spec ha.md 4.3). */
export async function continueBootstrap(c: Cycle): Promise<CycleResult> {
  const { memory, world } = c
  const { postgres, fence, log } = world
  if (!postgres.isAlive() || memory.bootstrap.result === false) return cancelBootstrap(c)
  if (memory.bootstrap.result === null) {
    if (!(await isPrimary(c))) return result('bootstrap-recovering')
    postgres.setRole('primary')
    return beginOrBusy(c, 'post_bootstrap', result('post-bootstrap'), async (signal) => {
      memory.bootstrap.result = await postgres.postBootstrap(signal)
    })
  }
  // There is no lease yet, and nobody else can have one: the key is still ours to take.
  if (!(await fence.activate(later(world.clock.now(), c.settings.ttlMs)))) {
    log.error('Cancelling bootstrap because watchdog activation failed')
    return cancelBootstrap(c)
  }
  return openNewCluster(c)
}

/**
 * From here on the cluster exists for others: identifier first, configuration, then the leader; and with synchronous
 * replication its key before that, for until it is there anybody with a copy could take over without what was acknowledged.
 */
async function openNewCluster(c: Cycle): Promise<CycleResult> {
  const { memory, world, settings } = c
  const { postgres, dcs, fence } = world
  await checkpointAfterPromotion(c)
  postgres.forgetSystemIdentifier()
  const identifier = (await postgres.systemIdentifier(c.signal)) ?? ''
  if (isLocked(c.view) || (isSystemIdentifier(c.view.initialize) && c.view.initialize !== identifier)) {
    world.log.error('Another member has initialized the cluster meanwhile')
    return cancelBootstrap(c)
  }
  const written = await inStore(c, (budget) => dcs.writeInitialize(identifier, { createOnly: false }, budget))
  if (written.kind !== 'done') return storeOutage(c)
  const configured = await inStore(c, (budget) => dcs.writeConfig(memory.dynamicConfig, null, budget))
  if (configured.kind !== 'done') return storeOutage(c)
  const isSynchronous = syncMode(settings) !== 'off'
  if (isSynchronous && (await writeSync(c, world.name, new NameSet(), 0)) !== 'done') return storeOutage(c)
  const answer = await takeLock(c)
  if (answer !== 'done') return storeOutage(c)
  memory.bootstrap.active = false
  await fence.keepAlive(memory.lease.until)
  if (isSynchronous) await setNames(c, minimumSync(settings) > 0 ? STRICT_PLACEHOLDER : null)
  postgres.fireCallback('on_start', postgres.role)
  did(c, 'open new cluster', { systemIdentifier: identifier, leader: leaderMember(c.view)?.name ?? world.name })
  await reloadView(c)
  memory.alarm = world.clock.now()
  return result('initialized')
}

/** Leaves nothing behind that would block another try: neither the key nor a half-made data directory. */
async function cancelBootstrap(c: Cycle): Promise<CycleResult> {
  const { world, settings } = c
  if (c.view.initialize === '') {
    world.log.info('removing initialize key after failed attempt to bootstrap the cluster')
    await inStore(c, (budget) => world.dcs.deleteInitialize(budget))
  }
  await world.postgres.stop({ mode: 'immediate', checkpoint: false, limitMs: settings.retryTimeoutMs }, c.signal)
  await world.postgres.moveDataDirectoryAside()
  c.memory.bootstrap.active = false
  world.log.error('Failed to bootstrap cluster')
  return fatal('bootstrap-failed')
}
