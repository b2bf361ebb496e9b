import { isObject, type JsonObject } from '../cluster/json.ts'
import { isTruthy } from '../cluster/values.ts'

/** Translates shapes of older configurations into today's (spec configuration.md 3.14). */
export function withModernShapes(document: JsonObject): JsonObject {
  return [exhibitorInsideZookeeper, usersInsidePostgresql, rewindUser, nameInsidePostgresql].reduce(
    (current, translate) => translate(current),
    document,
  )
}

function exhibitorInsideZookeeper(document: JsonObject): JsonObject {
  const zookeeper = document['zookeeper']
  if (!isObject(zookeeper) || !('exhibitor' in zookeeper)) return document
  const { zookeeper: _, ...rest } = document
  return { ...rest, exhibitor: zookeeper['exhibitor'] ?? {} }
}

function usersInsidePostgresql(document: JsonObject): JsonObject {
  const postgresql = document['postgresql']
  if (!isObject(postgresql) || 'authentication' in postgresql) return document
  const users = ['replication', 'superuser'].filter((user) => user in postgresql)
  if (users.length === 0) return document
  const authentication = Object.fromEntries(users.map((user) => [user, postgresql[user] ?? {}]))
  return {
    ...document,
    postgresql: { ...postgresql, authentication, use_pg_rewind: 'pg_rewind' in postgresql },
  }
}

function rewindUser(document: JsonObject): JsonObject {
  const postgresql = document['postgresql']
  if (!isObject(postgresql)) return document
  const authentication = postgresql['authentication']
  const user = postgresql['pg_rewind']
  if (!isObject(user) || !isObject(authentication) || 'superuser' in authentication) return document
  return { ...document, postgresql: { ...postgresql, authentication: { ...authentication, superuser: user } } }
}

function nameInsidePostgresql(document: JsonObject): JsonObject {
  const postgresql = document['postgresql']
  if ('name' in document || !isObject(postgresql) || !isTruthy(postgresql['name'])) return document
  return { ...document, name: postgresql['name'] ?? '' }
}
