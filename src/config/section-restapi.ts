import type { Section } from './section.ts'
import type { Credentials, CtlConfig, RestapiConfig } from './types.ts'

/**
 * As many as are served at once. With the 5 of other managers the kernel drops some of the connections of balancers that come
 * in the same moment; their health checks then wait for a second, or time out.
 */
const DEFAULT_QUEUE = 512

/** Section `restapi` (spec configuration.md 3.3). */
export function restapiConfig(restapi: Section): RestapiConfig {
  const listen = restapi.required('listen')
  if (listen !== '' && !/:\d+$/.test(listen))
    restapi.fatal('listen', `Invalid "restapi" config: expected <HOST>:<PORT> for "listen", but got "${listen}"`)
  return {
    listen,
    connectAddress: restapi.text('connect_address') ?? listen,
    authentication: credentials(restapi),
    certfile: restapi.text('certfile'),
    keyfile: restapi.text('keyfile'),
    keyfilePassword: restapi.text('keyfile_password'),
    cafile: restapi.text('cafile'),
    ciphers: restapi.text('ciphers'),
    verifyClient: verifyClient(restapi),
    allowlist: allowlist(restapi),
    allowlistIncludeMembers: restapi.flag('allowlist_include_members'),
    httpExtraHeaders: restapi.textMap('http_extra_headers'),
    httpsExtraHeaders: restapi.textMap('https_extra_headers'),
    requestQueueSize: restapi.integer('request_queue_size', DEFAULT_QUEUE),
    serverTokens: serverTokens(restapi),
  }
}

/** Section `ctl` (spec configuration.md 3.4): what is not set there comes from `restapi`. */
export function ctlConfig(ctl: Section, restapi: Section): CtlConfig {
  return {
    authentication: credentials(ctl) ?? credentials(restapi),
    insecure: ctl.flag('insecure'),
    cacert: ctl.text('cacert') ?? restapi.text('cafile'),
    certfile: ctl.text('certfile'),
    keyfile: ctl.text('keyfile'),
    keyfilePassword: ctl.text('keyfile_password'),
  }
}

/** `authentication` with both members, else the older `auth: user:password`. */
function credentials(section: Section): Credentials | null {
  const authentication = section.section('authentication')
  const username = authentication.text('username')
  const password = authentication.text('password')
  if (username !== null && password !== null) return { username, password }
  if (username !== null || password !== null) {
    authentication.fatal(username === null ? 'username' : 'password', 'is not defined.')
    return null
  }
  const [user = '', ...rest] = section.text('auth')?.split(':') ?? []
  return user !== '' && rest.length > 0 ? { username: user, password: rest.join(':') } : null
}

function verifyClient(restapi: Section): RestapiConfig['verifyClient'] {
  const value = (restapi.text('verify_client') ?? 'none').toLowerCase()
  if (value === 'none' || value === 'optional' || value === 'required') return value
  restapi.warning('verify_client', `Bad value in the "restapi.verify_client": ${value}`)
  return 'none'
}

function serverTokens(restapi: Section): RestapiConfig['serverTokens'] {
  const value = (restapi.text('server_tokens') ?? 'original').toLowerCase()
  if (value === 'original' || value === 'minimal' || value === 'productonly') return value
  restapi.warning('server_tokens', 'is not one of original, minimal, productonly; using original')
  return 'original'
}

function allowlist(restapi: Section): readonly string[] {
  const value = restapi.get('allowlist')
  if (typeof value !== 'string') return restapi.list('allowlist') ?? []
  restapi.warning('allowlist', 'is not a list, ignored')
  return []
}
