import type { MemberStatus } from '../ports/control.ts'
import { type Look, statusDocument, takePicture } from './picture.ts'
import { spacedJson } from './spaced-json.ts'

/** Whether the document shows a field; the others change all the time. */
const IS_SHOWN: Readonly<Record<keyof MemberStatus, boolean>> = {
  name: true,
  scope: true,
  version: true,
  role: true,
  state: true,
  holdsLock: false,
  view: true,
  dcsLastSeen: true,
  settings: true,
  dynamicConfig: false,
  configuredTags: false,
  effectiveTags: true,
  pendingRestart: true,
  scheduledRestart: true,
  failsafeActive: true,
  watchdogFailed: true,
  systemIdentifier: true,
  serverVersion: true,
  localTimeline: true,
  nextRunAt: false,
  longAction: false,
  postmasterAlive: false,
  failsafeTopology: false,
  cloneProgress: true,
  logQueue: true,
}
const SHOWN = (Object.keys(IS_SHOWN) as (keyof MemberStatus)[]).filter((key) => IS_SHOWN[key])

/**
 * The status document as text. The last one is kept: between two changes of this member thousands of checks may ask,
 * and all of them get the same bytes.
 */
export class StatusText {
  #kept: { readonly status: MemberStatus; readonly look: Look; readonly text: string } | null = null

  of(status: MemberStatus, look: Look): string {
    if (this.#kept && isSameLook(this.#kept.look, look) && isSameStatus(this.#kept.status, status))
      return this.#kept.text
    const text = spacedJson(statusDocument(takePicture(status, look)))
    this.#kept = { status, look, text }
    return text
  }
}

function isSameLook(one: Look, other: Look): boolean {
  if (one.kind === 'observed' && other.kind === 'observed') return one.observation === other.observation
  return one.kind === other.kind
}

/** By identity first: all values are immutable. The small ones among them the agent makes anew for each who asks. */
function isSameStatus(one: MemberStatus, other: MemberStatus): boolean {
  return (
    one === other ||
    SHOWN.every((key) => one[key] === other[key] || (IS_SMALL.has(key) && isSame(one[key], other[key])))
  )
}

const IS_SMALL: ReadonlySet<keyof MemberStatus> = new Set([
  'effectiveTags',
  'pendingRestart',
  'scheduledRestart',
  'cloneProgress',
  'logQueue',
])

/** Key order counts: it is shown. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  const keys = Object.keys(one)
  const others = Object.keys(other)
  return (
    keys.length === others.length &&
    Array.isArray(one) === Array.isArray(other) &&
    keys.every((key, i) => key === others[i] && isSame(one[key as never], other[key as never]))
  )
}
