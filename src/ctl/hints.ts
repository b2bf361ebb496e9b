/** What failures of the network and of TLS have in their texts, and what a person may do about them. */
const HINTS: readonly (readonly [found: RegExp, hint: string])[] = [
  [
    /self[- ]signed certificate|unable to get (local )?issuer|unable to verify the first certificate/i,
    'set cacert in the section to the authority that signed its certificate',
  ],
  [/altnames|certificate is not valid for/i, 'its certificate is for another name'],
  [/certificate has expired/i, 'its certificate has to be renewed'],
  [
    /certificate required|alert handshake failure|alert bad certificate|alert unknown ca/i,
    'it wants a client certificate that it knows: set certfile and keyfile',
  ],
  [/wrong version number|packet length too long/i, 'it does not speak TLS there'],
  [/ECONNREFUSED/, 'nothing listens there: does it run, and is this its address?'],
  [/ENOTFOUND|EAI_AGAIN/, 'the name is not known here'],
  [/timed out|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/, 'does it run, and is the way there open?'],
]

/** @returns the reason with what to do about it, where anybody can say */
export function withHint(reason: string): string {
  const hint = HINTS.find(([found]) => found.test(reason))?.[1]
  return hint === undefined ? reason : `${reason} (${hint})`
}

/** The same for an answer that a REST server gave; `null`: the answer says it all. */
export function statusHint(status: number): string | null {
  switch (status) {
    case 401:
      return 'The member wants a name and a password: set ctl.authentication, or restapi.authentication, in the configuration'
    case 403:
      return 'The member lets this host or this certificate change nothing: see restapi.allowlist and restapi.verify_client there'
    default:
      return null
  }
}
