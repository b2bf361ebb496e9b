/** Order of two texts by their code points: how file names and keys are sorted wherever the result is seen outside. */
export function compareCodePoints(a: string, b: string): number {
  const left = Array.from(a, (c) => c.codePointAt(0) ?? 0)
  const right = Array.from(b, (c) => c.codePointAt(0) ?? 0)
  const i = left.findIndex((point, at) => point !== right[at])
  return i < 0 ? left.length - right.length : (left[i] ?? -1) - (right[i] ?? -1)
}
