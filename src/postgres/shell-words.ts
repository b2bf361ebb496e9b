/** The words of a command line, or why it has none. */
export type ShellWords =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'malformed'; readonly problem: string }

/**
 * Splits a configured command by POSIX shell word rules: single and double quotes and backslashes, no expansion,
 * no comments (spec postgres.md 1.13).
 */
export function splitShellWords(text: string): ShellWords {
  const words: string[] = []
  let word: string | null = null
  let quote: '"' | "'" | null = null
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i)
    if (quote === null && /\s/.test(c)) {
      if (word !== null) words.push(word)
      word = null
    } else if (quote === null && (c === '"' || c === "'")) {
      quote = c
      word ??= ''
    } else if (c === quote) {
      quote = null
    } else if (c === '\\' && quote !== "'") {
      i++
      if (i >= text.length) return { kind: 'malformed', problem: 'a backslash at its end escapes nothing' }
      const escaped = text.charAt(i)
      const literal = quote === '"' && escaped !== '"' && escaped !== '\\'
      word = (word ?? '') + (literal ? `\\${escaped}` : escaped)
    } else {
      word = (word ?? '') + c
    }
  }
  if (quote !== null) return { kind: 'malformed', problem: `a quotation mark ${quote} is not closed` }
  if (word !== null) words.push(word)
  return { kind: 'words', words }
}
