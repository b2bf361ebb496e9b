import type { Role } from '../cluster/instance.ts'
import { clusterSettings } from '../cluster/settings.ts'
import { isSystemIdentifier } from '../cluster/view.ts'
import { forRole } from '../config/for-role.ts'
import type { Config } from '../config/types.ts'
import type { Clock } from '../ports/clock.ts'
import type { CloneProgress } from '../ports/control.ts'
import type { Log } from '../ports/log.ts'
import type { Postgres } from '../ports/postgres.ts'
import { moveDataDirectoryAside } from './clone/remove-data-directory.ts'
import { hasBackupLabel, hasRecoverySignal, localTimelineHistory } from './directory-facts.ts'
import { dataDirectoryModes, errorText, inspectDataDirectory } from './files.ts'
import { createFilesSide, type FilesSide } from './files-side.ts'
import { passwordFile } from './password-file.ts'
import { ProcessSide, processTools } from './process-side.ts'
import type { ProcessIdentity } from './process-table.ts'

export interface PostgresDependencies {
  readonly clock: Clock
  readonly log: Log
  /** Tells the supervisor (systemd) something; by default there is none. */
  readonly notify?: (state: string) => void
}

/** The port, and what only the agent asks of the adapter. */
export interface PostgresAdapter extends Postgres {
  /** Looks for a server that runs already, before the first cycle (spec postgres.md 1.4). */
  adopt(signal: AbortSignal): Promise<void>
  /** The configuration in force from now on. SIGHUP writes and reloads also what seems to be the same. */
  reconfigure(config: Config, options: { readonly sighup: boolean }, signal: AbortSignal): Promise<void>
  /** `host:port` where others reach this server if nothing is configured. */
  localAddress(): string
  /** Of the base backup under way; `null`: none is. */
  cloneProgress(): CloneProgress | null
  /** The process that a fence has to know. */
  postmaster(): ProcessIdentity | null
  /** Ends the watch and drops the connections. The server runs on. */
  close(): void
}

/**
 * PostgreSQL beside this agent: the process side (what runs) and the files side (what lies on disk), put together.
 * Nothing is touched before `adopt`.
 */
export async function createPostgres(
  first: Config,
  { clock, log, notify = () => {} }: PostgresDependencies,
): Promise<PostgresAdapter> {
  let config = first
  const originalUmask = process.umask()
  const tools = processTools({ config: () => config, clock, log, notify })
  const { memory } = tools
  let filesSide: FilesSide | null = null
  const files = (): FilesSide => {
    if (!filesSide) throw new Error('the files side was asked before it was made')
    return filesSide
  }
  const server = new ProcessSide(tools, () => files().files)
  const password = passwordFile(() => config)
  filesSide = createFilesSide({
    ...tools,
    configFor: rolewise(() => config, log),
    settings: () => clusterSettings(config.dynamic, config.timing),
    server: () => server,
    passwordFile: password,
    originalUmask,
  })
  const { configuration, bootstrap, clone, rewind, slots, guard } = filesSide
  const postgresql = (): Config['postgresql'] => config.postgresql
  const dataDir = (): string => config.postgresql.dataDir
  let systemIdentifier: string | null = null

  return {
    // -- memory
    get role() {
      return memory.role
    },
    get state() {
      return memory.state
    },
    get stateSince() {
      return memory.stateSince
    },
    setRole: (role) => memory.setRole(role),
    setState: (state) => memory.setState(state),
    get callbackAttempted() {
      return server.callbackAttempted
    },
    get serverVersion() {
      return server.version
    },

    // -- facts
    isAlive: () => server.isAlive(),
    resolveStarting: (signal) => server.resolveStarting(signal),
    async observe(signal) {
      const seen = await server.observe(signal)
      if (seen.kind === 'observed')
        await configuration.noticeReload(seen.observation.configurationLoadedAt ?? null, signal)
      return seen
    },
    forgetObservation: () => server.forgetObservation(),
    look: (signal) => server.look(signal),
    dataDirectory: () => inspectDataDirectory(dataDir()),
    controlData: (signal) => server.controlData(signal),
    async systemIdentifier(signal) {
      if (systemIdentifier === null) {
        const found = (await server.controlData(signal))?.systemIdentifier ?? null
        if (isSystemIdentifier(found)) systemIdentifier = found
      }
      return systemIdentifier
    },
    forgetSystemIdentifier() {
      systemIdentifier = null
    },
    hasRecoverySignal: () => hasRecoverySignal(dataDir()),
    hasBackupLabel: () => hasBackupLabel(dataDir()),
    localTimelineHistory: (timeline) => localTimelineHistory(dataDir(), timeline),
    identifyTimeline: (signal) => server.identifyTimeline(signal),
    shutdownPositions: (signal) => server.shutdownPositions(signal),
    get pendingRestart() {
      return configuration.pendingRestart
    },

    // -- running it
    startAsPrimary: (timeoutMs, signal, mayLaunch) =>
      server.start({ timeoutMs, role: 'primary', callback: true, ...(mayLaunch ? { mayLaunch } : {}) }, signal),
    follow: (request, signal) => server.follow(request, signal),
    stop: (request, signal) => server.stop(request, signal),
    restart: (timeoutMs, signal, mayLaunch) =>
      server.restart(timeoutMs, { callback: true, ...(mayLaunch ? { mayLaunch } : {}) }, signal),
    cancelStart: () => server.cancelStart(),
    async promote(waitMs, signal, begins) {
      slots.beforePromotion()
      return server.promote(waitMs, signal, begins)
    },
    checkpoint: (signal) => server.checkpoint(signal),
    resumeReplay: (signal) => server.resumeReplay(signal),
    nudgeWal: (signal) => server.nudgeWal(signal),
    async recoveryDifference(upstream, _role, signal) {
      if (memory.state === 'starting' || memory.state === 'starting after custom bootstrap') return 'none'
      const seen = await server.observe(signal)
      const observation = seen.kind === 'observed' ? seen.observation : null
      return configuration.recoveryDifference(upstream, observation, signal)
    },
    async setSynchronousStandbyNames(text, signal) {
      if (await configuration.setSynchronousStandbyNames(text, signal)) server.forgetObservation()
    },
    prePromote: (signal) => server.prePromote(signal),
    fireCallback: (name, role) => server.fireCallback(name, role),

    // -- bootstrap and copies
    hasBootstrapSection: () => bootstrap.hasSection(),
    bootstrap: (signal) => bootstrap.bootstrap(signal),
    postBootstrap: (signal) => bootstrap.postBootstrap(signal),
    canCloneWithoutSource: (settings) => clone.canCloneWithoutSource(settings),
    async clone(request, signal) {
      systemIdentifier = null
      return clone.clone(request, signal)
    },
    copyObstacle: (request, signal) => clone.obstacle(request, signal),
    async removeDataDirectory() {
      memory.setRole('uninitialized')
      systemIdentifier = null
      await files().removeDataDirectory()
    },
    async moveDataDirectoryAside() {
      systemIdentifier = null
      if (!server.isAlive()) await moveDataDirectoryAside(dataDir(), log)
    },

    // -- divergence and rewind
    canRewind: (signal) => rewind.canRewind(signal),
    get useRewind() {
      return postgresql().useRewind
    },
    get removeOnRewindFailure() {
      return postgresql().removeOnRewindFailure
    },
    get removeOnDivergedTimelines() {
      return postgresql().removeOnDivergedTimelines
    },
    localPosition: (signal) => rewind.localPosition(signal),
    shutdownCheckpointEnd: (position, signal) => rewind.shutdownCheckpointEnd(position, signal),
    rewindSource: (upstream, signal) => rewind.source(upstream, signal),
    roleOf: (upstream, signal) => rewind.roleOf(upstream, signal),
    rewind: (upstream, signal) => rewind.rewind(upstream, signal),
    singleUserRecovery: (signal) => server.singleUserRecovery(signal),
    isArchiving: (signal) => rewind.isArchiving(signal),
    archiveLatestCheckpoint: (signal) => rewind.archiveLatestCheckpoint(signal),

    // -- slots
    syncSlots: (view, settings, signal) => slots.sync(view, settings, signal),
    copyLogicalSlots: (names, leader, signal) => slots.copyLogical(names, leader, signal),
    scheduleSlotReload: () => slots.scheduleReload(),

    // -- configuration
    onEvent(listener) {
      const tell = (): void => listener('postmaster-ended')
      return server.onUnexpectedEnd(tell)
    },

    // -- for the agent
    async adopt(signal) {
      // Whatever children create is for the owner, or his group as well, as the data directory says (spec 2.1).
      process.umask((await dataDirectoryModes(dataDir())).directory === 0o750 ? 0o027 : 0o077)
      server.watch()
      try {
        if (!server.isAlive()) await guard.tidyUp()
      } catch (error) {
        log.error(`What an earlier agent left behind could not be put in order: ${errorText(error)}`)
      }
      await server.adopt(signal)
    },
    async reconfigure(next, { sighup }, signal) {
      config = next
      await configuration.apply({ force: sighup }, signal)
    },
    cloneProgress: () => clone.progress,
    localAddress() {
      const { host, port } = server.address.tcp
      return `${host.includes(':') ? `[${host}]` : host}:${port}`
    },
    postmaster: () => tools.postmaster.current(),
    close: () => server.close(),
  }
}

/** The configuration with the overlay for a role; computed once for each configuration and role. */
function rolewise(config: () => Config, log: Log): (role: Role) => Config {
  let base = config()
  let byRole = new Map<Role, Config>()
  return (role) => {
    if (config() !== base) {
      base = config()
      byRole = new Map()
    }
    const known = byRole.get(role)
    if (known) return known
    const { postgresql, warnings } = forRole(base.postgresql, role)
    for (const warning of warnings) log.warning(warning)
    const made = { ...base, postgresql }
    byRole.set(role, made)
    return made
  }
}
