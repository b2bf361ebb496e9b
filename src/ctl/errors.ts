/** What the operator did, asked for or configured cannot work. Printed as `Error: <message>`; exit code 1 (spec ctl.md 1.2). */
export class CtlError extends Error {}

/** The operator went away: end of input at a prompt, or Ctrl-C. Printed as `Aborted!`; exit code 1. */
export class Aborted extends Error {}

/** The command line itself is wrong. Printed below the usage line; exit code 2. */
export class UsageError extends Error {}

export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replace(/\s*\n\s*/g, ' ').trim()
}
