import { readFileSync } from 'node:fs'

const EVERY_MS = 2000

/** How much of its processors' time a virtual machine did not get because its host gave it to others. */
export interface TheftWatch {
  /** The greatest share of any two seconds so far, 0 to 1. */
  readonly worst: number
  end(): void
}

/** Watches `/proc/stat`, column steal (proc(5)). Where that cannot be read nothing was stolen. */
export function watchTheft(read: () => string = () => readFileSync('/proc/stat', 'utf8')): TheftWatch {
  let worst = 0
  let before = ticks(read)
  const look = (): void => {
    const now = ticks(read)
    const all = now.all - before.all
    if (all > 0) worst = Math.max(worst, (now.stolen - before.stolen) / all)
    before = now
  }
  const timer = setInterval(look, EVERY_MS)
  timer.unref()
  return {
    get worst() {
      return worst
    },
    end: () => clearInterval(timer),
  }
}

/** user nice system idle iowait irq softirq steal; what guests of this machine got is in the first two already. */
function ticks(read: () => string): { readonly all: number; readonly stolen: number } {
  try {
    const counts = (/^cpu +([\d ]+)$/m.exec(read())?.[1] ?? '').split(' ').slice(0, 8).map(Number)
    return { all: counts.reduce((sum, one) => sum + one, 0), stolen: counts[7] ?? 0 }
  } catch {
    return { all: 0, stolen: 0 }
  }
}
