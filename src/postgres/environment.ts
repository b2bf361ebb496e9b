/**
 * The environment that children get: the agent's own without the names it is configured by, which hold passwords
 * (spec postgres.md 1.5 and 9.1).
 */
export function childEnvironment(
  own: NodeJS.ProcessEnv,
  added: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { ...without(own, ['PATRONI_', 'MATRIARCH_']), ...added }
}

/** What PostgreSQL itself is started with. It outlives the agent, so it must not speak to the agent's supervisor. */
export function serverEnvironment(
  own: NodeJS.ProcessEnv,
  added: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const {
    NOTIFY_SOCKET: _socket,
    PG_MALLOC_ARENA_MAX: arenas,
    ...rest
  } = without(own, ['PATRONI_', 'MATRIARCH_', 'KUBERNETES_'])
  return { ...rest, ...(arenas ? { MALLOC_ARENA_MAX: arenas } : {}), ...added }
}

function without(own: NodeJS.ProcessEnv, prefixes: readonly string[]): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(own))
    if (value !== undefined && !prefixes.some((prefix) => name.startsWith(prefix))) kept[name] = value
  return kept
}
