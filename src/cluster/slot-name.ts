/**
 * The replication slot of a member: PostgreSQL allows lower-case letters, digits and underscores, 63 bytes.
 * `-` and `.` become `_`; any other character becomes `u` and its decimal code point (spec ha.md 18.3).
 */
export function slotName(memberName: string): string {
  let name = ''
  for (const c of memberName.toLowerCase()) {
    if (/[a-z0-9_]/.test(c)) name += c
    else if (c === '-' || c === '.') name += '_'
    else name += `u${String(c.codePointAt(0)).padStart(4, '0')}`
  }
  return name.slice(0, 63)
}
