import type { AnyCommand } from './cli/command.ts'

export interface CommandEntry {
  /** For the list of commands. */
  readonly summary: string
  /** Only the command that runs is loaded. */
  load(): Promise<{ readonly default: AnyCommand }>
}

export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  completion: { summary: 'Print the completion script of a shell', load: () => import('./commands/completion.ts') },
  'demote-cluster': {
    summary: 'Demote cluster to a standby cluster',
    load: () => import('./commands/demote-cluster.ts'),
  },
  dsn: { summary: 'Generate a dsn for a member of the cluster', load: () => import('./commands/dsn.ts') },
  'edit-config': { summary: 'Edit cluster configuration', load: () => import('./commands/edit-config.ts') },
  failover: { summary: 'Failover to a replica', load: () => import('./commands/failover.ts') },
  flush: { summary: 'Discard scheduled events', load: () => import('./commands/flush.ts') },
  history: { summary: 'Show the history of failovers/switchovers', load: () => import('./commands/history.ts') },
  list: { summary: 'List the members of a cluster', load: () => import('./commands/list.ts') },
  pause: { summary: 'Disable auto failover', load: () => import('./commands/pause.ts') },
  'promote-cluster': {
    summary: 'Promote cluster, make it run standalone',
    load: () => import('./commands/promote-cluster.ts'),
  },
  query: { summary: 'Query a PostgreSQL member of the cluster', load: () => import('./commands/query.ts') },
  raft: { summary: 'Show or change the embedded Raft group', load: () => import('./commands/raft.ts') },
  reinit: { summary: 'Reinitialize cluster member', load: () => import('./commands/reinit.ts') },
  reload: { summary: 'Reload cluster member configuration', load: () => import('./commands/reload.ts') },
  remove: { summary: 'Remove cluster from the store', load: () => import('./commands/remove.ts') },
  restart: { summary: 'Restart cluster member', load: () => import('./commands/restart.ts') },
  resume: { summary: 'Resume auto failover', load: () => import('./commands/resume.ts') },
  'show-config': { summary: 'Show cluster configuration', load: () => import('./commands/show-config.ts') },
  switchover: { summary: 'Switchover to a replica', load: () => import('./commands/switchover.ts') },
  topology: { summary: 'Prints the topology of a cluster', load: () => import('./commands/topology.ts') },
  version: {
    summary: 'Output version of the tool or of a running cluster',
    load: () => import('./commands/version.ts'),
  },
  why: { summary: 'Tell what happened last and why', load: () => import('./commands/why.ts') },
}
