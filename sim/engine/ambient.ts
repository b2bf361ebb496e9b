/**
 * Decisions may be made from permitted inputs only: whoever asks the real clock, real timers or real randomness while
 * a world runs gets an exception, and so a violation.
 */
export function forbidAmbientInputs(): void {
  const forbid = (what: string) => (): never => {
    throw new Error(`${what} is no input of a decision: use the ports`)
  }
  Date.now = forbid('Date.now')
  Math.random = forbid('Math.random')
  performance.now = forbid('performance.now')
  globalThis.setTimeout = forbid('setTimeout') as unknown as typeof setTimeout
  globalThis.setInterval = forbid('setInterval')
}
