import type { Keywords } from './client.ts'

/** Variables of libpq and the connection parameters they stand for. */
const VARIABLES: Readonly<Record<string, string>> = {
  PGUSER: 'user',
  PGPASSWORD: 'password',
  PGDATABASE: 'dbname',
  PGPASSFILE: 'passfile',
  PGOPTIONS: 'options',
  PGSSLMODE: 'sslmode',
  PGSSLCERT: 'sslcert',
  PGSSLKEY: 'sslkey',
  PGSSLROOTCERT: 'sslrootcert',
  PGSSLCRL: 'sslcrl',
  PGSSLSNI: 'sslsni',
  PGGSSENCMODE: 'gssencmode',
  PGCHANNELBINDING: 'channel_binding',
  PGTARGETSESSIONATTRS: 'target_session_attrs',
  PGAPPNAME: 'application_name',
}

/** What the environment says about connections; a service comes before single variables. */
export function environmentKeywords(env: Readonly<Record<string, string | undefined>>, service: Keywords): Keywords {
  const own = Object.entries(VARIABLES).flatMap(([variable, keyword]) => {
    const value = env[variable]
    return value ? [[keyword, value] as const] : []
  })
  return { ...Object.fromEntries(own), ...service }
}

/** The parameters of one service in a connection service file (INI); `null` when the file does not know it. */
export function serviceKeywords(text: string, name: string): Keywords | null {
  let found: Record<string, string> | null = null
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line.startsWith('[')) {
      if (found) break
      if (line === `[${name}]`) found = {}
    } else if (found && line !== '' && !line.startsWith('#')) {
      const at = line.indexOf('=')
      if (at > 0) found[line.slice(0, at).trim()] = line.slice(at + 1).trim()
    }
  }
  return found
}
