/**
 * The text of PostgreSQL's parameter synchronous_standby_names: reading what is live, printing what is wanted
 * (spec postgres.md 8.2 and 8.4).
 */

/** A name that no standby has: commits wait until somebody may confirm them. */
export const STRICT_PLACEHOLDER = '__patroni_strict_sync_replica_placeholder__'

/** `priority`: the first n of the list in its order; `quorum`: any n of them. */
export type StandbyNamesKind = 'off' | 'priority' | 'quorum'

export interface StandbyNames {
  readonly kind: StandbyNamesKind
  /** How many must confirm; 0 when off. */
  readonly count: number
  /** As written, without quotes. Only the placeholder where it stood alone: then nobody is named. */
  readonly members: readonly string[]
  /** `*` stands for any standby. Then `members` holds the placeholder, which matches nobody and so forces a rewrite. */
  readonly hasStar: boolean
}

export const NO_STANDBY_NAMES: StandbyNames = { kind: 'off', count: 0, members: [], hasStar: false }

type Token =
  | { readonly kind: 'name'; readonly text: string; readonly quoted: boolean }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: '(' | ')' | ',' | '*' }

/** @returns `null` where PostgreSQL would not understand the text: treat it as off, with a warning */
export function parseStandbyNames(text: string): StandbyNames | null {
  const tokens = tokenize(text)
  if (!tokens) return null
  if (tokens.length === 0) return NO_STANDBY_NAMES
  const [first, second, third] = tokens
  const isWord = (token: Token | undefined, word: string): boolean =>
    token?.kind === 'name' && !token.quoted && token.text.toLowerCase() === word
  if ((isWord(first, 'any') || isWord(first, 'first')) && second?.kind === 'number' && third?.kind === '(')
    return withList(isWord(first, 'any') ? 'quorum' : 'priority', second.value, tokens.slice(2))
  if (first?.kind === 'number' && second?.kind === '(') return withList('priority', first.value, tokens.slice(1))
  return named('priority', 1, tokens)
}

function withList(kind: 'priority' | 'quorum', count: number, tokens: readonly Token[]): StandbyNames | null {
  return tokens.at(-1)?.kind === ')' ? named(kind, count, tokens.slice(1, -1)) : null
}

function named(kind: 'priority' | 'quorum', count: number, tokens: readonly Token[]): StandbyNames | null {
  const members: string[] = []
  let hasStar = false
  for (const [i, token] of tokens.entries()) {
    if (i % 2 === 1) {
      if (token.kind !== ',') return null
    } else if (token.kind === '*') hasStar = true
    else if (token.kind === 'name') members.push(token.text)
    // PostgreSQL reads a bare number in a list as a name
    else if (token.kind === 'number') members.push(String(token.value))
    else return null
  }
  if (tokens.length % 2 === 0 || count < 1) return null
  if (hasStar) return { kind, count, members: [STRICT_PLACEHOLDER], hasStar }
  const isPlaceholder = members.length === 1 && members[0] === STRICT_PLACEHOLDER
  return { kind, count, members: isPlaceholder ? [] : members, hasStar }
}

function tokenize(text: string): Token[] | null {
  const tokens: Token[] = []
  const pattern = /\s*(?:([A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*)|"((?:[^"]|"")+)"|(\d+)|([(),*]))/y
  const end = text.trimEnd().length
  while (pattern.lastIndex < end) {
    const match = pattern.exec(text)
    if (!match) return null
    const [, word, quoted, number, sign] = match
    if (word !== undefined) tokens.push({ kind: 'name', text: word, quoted: false })
    else if (quoted !== undefined) tokens.push({ kind: 'name', text: quoted.replaceAll('""', '"'), quoted: true })
    else if (number !== undefined) tokens.push({ kind: 'number', value: Number(number) })
    else tokens.push({ kind: sign as '(' | ')' | ',' | '*' })
  }
  return tokens
}

export interface WantedStandbyNames {
  readonly kind: 'priority' | 'quorum'
  /** At most so many must confirm; the number of members where it is not given. */
  readonly count?: number
  readonly members: Iterable<string>
}

/**
 * Prints the parameter so that it is the same text for the same wish: names sorted, no blanks.
 * @param version e.g. 150018: 9.6 has no `ANY`, older ones know only one name
 * @returns `null`: the parameter is to be removed
 */
export function printStandbyNames(wanted: WantedStandbyNames, version: number): string | null {
  const given = [...wanted.members]
  const names = given.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const any = version >= 100000 ? 'ANY ' : ''
  if (names.includes('*') || (names.length === 0 && (wanted.count ?? 0) >= 1)) {
    return wanted.kind === 'quorum' && version >= 90600 ? `${any}1 (${STRICT_PLACEHOLDER})` : STRICT_PLACEHOLDER
  }
  const [only] = given
  if (only === undefined) return null
  if (version < 90600) return quoteStandbyName(only)
  const count = wanted.count ?? names.length
  const list = names.map(quoteStandbyName).join(',')
  if (wanted.kind === 'quorum') return `${any}${count} (${list})`
  return names.length === 1 ? list : `${count} (${list})`
}

/** A bare word where PostgreSQL takes it as one, else in double quotes. */
function quoteStandbyName(name: string): string {
  const bare = /^[A-Za-z_][A-Za-z_0-9$]*$/.test(name) && !['first', 'any'].includes(name.toLowerCase())
  return bare ? name : `"${name.replaceAll('"', '""')}"`
}
