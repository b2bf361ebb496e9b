/** `manual failover` -> `Manual Failover`. */
export function titleCase(words: string): string {
  return words.replace(/\b[a-z]/g, (c) => c.toUpperCase())
}
