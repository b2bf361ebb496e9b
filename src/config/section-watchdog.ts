import type { Section } from './section.ts'
import type { WatchdogConfig } from './types.ts'

const MODES: Readonly<Record<string, WatchdogConfig['mode']>> = {
  false: 'off',
  off: 'off',
  disable: 'off',
  disabled: 'off',
  auto: 'automatic',
  automatic: 'automatic',
  require: 'required',
  required: 'required',
}

/** Section `watchdog` (spec configuration.md 3.10). */
export function watchdogConfig(watchdog: Section): WatchdogConfig {
  const word = watchdog.text('mode') ?? 'automatic'
  const mode = Object.hasOwn(MODES, word.toLowerCase()) ? MODES[word.toLowerCase()] : undefined
  if (!mode) watchdog.warning('mode', `Watchdog mode ${word} not recognized, disabling watchdog`)
  const driver = watchdog.text('driver') ?? 'default'
  if (driver !== 'default' && driver !== 'testing')
    watchdog.warning('driver', 'is neither default nor testing, using default')
  return {
    mode: mode ?? 'off',
    device: watchdog.text('device') ?? '/dev/watchdog',
    safetyMargin: watchdog.integer('safety_margin', 5),
    driver: driver === 'testing' ? 'testing' : 'default',
  }
}
