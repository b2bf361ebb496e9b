import { section } from './key.ts'

const USER = { type: 'string' } as const

/** The REST server of this member, and how this member and the command-line tool call those of others. */
export const REST_KEYS = [
  ...section('restapi', 'reload', {
    listen: 'Address and port of the REST server; `*` stands for all addresses.',
    connect_address: ['Address and port under which others reach it.', { otherwise: 'as `listen`' }],
    'authentication.username': 'User name that requests which change something must have.',
    'authentication.password': 'Their password.',
    auth: ['Older spelling of both: `user:password`.', { type: 'string' }],
    certfile: 'File with the certificate, which makes it a server for https.',
    keyfile: ['File with the key of the certificate.', { otherwise: 'in `certfile`' }],
    keyfile_password: 'Password of the key.',
    cafile: 'File with the authorities whose client certificates are good.',
    ciphers: ['Ciphers of TLS, in the spelling of OpenSSL.', { otherwise: 'those of Node.js' }],
    verify_client: [
      'Client certificates are wanted from nobody, for requests that change something (`optional`), or for all.',
      { default: 'none' },
    ],
    allowlist: [
      'Hosts, addresses and networks that may send requests which change something.',
      { otherwise: 'everybody' },
    ],
    allowlist_include_members: ['The addresses of members are allowed besides.', { default: false }],
    http_extra_headers: ['Headers that each answer gets.', { default: {} }],
    https_extra_headers: ['Headers that each answer over TLS gets.', { default: {} }],
    request_queue_size: ['Connections that may wait to be accepted.', { default: 512, change: 'agent' }],
    server_tokens: ['What the header `Server` says.', { default: 'original' }],
    thread_pool_size: ['Accepted and without effect: there are no threads.', { default: 5, change: 'agent' }],
  }),
  ...section('ctl', 'reload', {
    'authentication.username': [
      'User name to call other members with.',
      { otherwise: 'that of `restapi`', schema: USER },
    ],
    'authentication.password': ['Its password.', { otherwise: 'that of `restapi`', schema: USER }],
    auth: ['Older spelling of both: `user:password`.', { type: 'string' }],
    insecure: ['The command-line tool does not verify certificates of members.', { default: false }],
    cacert: ["File with the authorities of the members' certificates.", { otherwise: '`restapi.cafile`' }],
    certfile: 'File with the client certificate to call other members with.',
    keyfile: ['File with its key.', { otherwise: 'in `certfile`' }],
    keyfile_password: 'Password of the key.',
  }),
]
