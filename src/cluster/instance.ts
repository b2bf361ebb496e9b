/** What this member's PostgreSQL is to the cluster (spec postgres.md 1.2). `promoted`: promotion was requested, the end of recovery not seen yet. */
export const ROLES = ['uninitialized', 'replica', 'primary', 'promoted', 'demoted', 'standby_leader'] as const
export type Role = (typeof ROLES)[number]

/** The order is the number that `/metrics` shows for the state; it never changes (spec rest-api.md 8.1). */
export const INSTANCE_STATES = [
  'initializing new cluster',
  'initdb failed',
  'running custom bootstrap script',
  'custom bootstrap failed',
  'creating replica',
  'running',
  'starting',
  'starting after custom bootstrap',
  'start failed',
  'restarting',
  'restart failed',
  'stopping',
  'stopped',
  'stop failed',
  'crashed',
] as const
export type InstanceState = (typeof INSTANCE_STATES)[number]

export function isStarting(state: InstanceState): boolean {
  return state === 'starting' || state === 'starting after custom bootstrap'
}

/** Role as other members spell it: members older than 4.0 say `master`. Unknown words are kept as text, they decide nothing. */
export function parseRole(value: unknown): Role | null {
  if (value === 'master') return 'primary'
  return (ROLES as readonly unknown[]).includes(value) ? (value as Role) : null
}

/** The word under which role-specific configuration and callbacks know the role. */
export function roleClass(role: Role): 'primary' | 'replica' | 'standby_leader' | null {
  switch (role) {
    case 'primary':
    case 'promoted':
      return 'primary'
    case 'replica':
    case 'demoted':
      return 'replica'
    case 'standby_leader':
      return 'standby_leader'
    case 'uninitialized':
      return null
  }
}
