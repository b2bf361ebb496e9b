const MONTHS = 'January February March April May June July August September October November December'.split(' ')
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')

const padded = (value: number, width = 2, fill = '0'): string => String(value).padStart(width, fill)

/** `YYYY-MM-DD HH:MM:SS,mmm` in local time: what log lines begin with by default (spec configuration.md 13.1). */
export function defaultTime(wallMs: number): string {
  return `${strftime('%Y-%m-%d %H:%M:%S', wallMs)},${padded(Math.floor(wallMs) % 1000, 3)}`
}

/**
 * C's strftime in the C locale and local time. Without Intl, which would cost the daemon 8 MB. A pattern that is not
 * known stays as it is.
 */
export function strftime(format: string, wallMs: number): string {
  const date = new Date(wallMs)
  return format.replace(/%[-_]?([A-Za-z%])/g, (pattern, letter: string) => FIELDS[letter]?.(date) ?? pattern)
}

const FIELDS: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getFullYear()),
  y: (date) => padded(date.getFullYear() % 100),
  C: (date) => padded(Math.floor(date.getFullYear() / 100)),
  m: (date) => padded(date.getMonth() + 1),
  d: (date) => padded(date.getDate()),
  e: (date) => padded(date.getDate(), 2, ' '),
  H: (date) => padded(date.getHours()),
  I: (date) => padded(date.getHours() % 12 || 12),
  k: (date) => padded(date.getHours(), 2, ' '),
  l: (date) => padded(date.getHours() % 12 || 12, 2, ' '),
  M: (date) => padded(date.getMinutes()),
  S: (date) => padded(date.getSeconds()),
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  P: (date) => (date.getHours() < 12 ? 'am' : 'pm'),
  A: (date) => DAYS[date.getDay()] ?? '',
  a: (date) => (DAYS[date.getDay()] ?? '').slice(0, 3),
  B: (date) => MONTHS[date.getMonth()] ?? '',
  b: (date) => (MONTHS[date.getMonth()] ?? '').slice(0, 3),
  h: (date) => (MONTHS[date.getMonth()] ?? '').slice(0, 3),
  j: (date) => padded(dayOfYear(date), 3),
  u: (date) => String(date.getDay() || 7),
  w: (date) => String(date.getDay()),
  U: (date) => padded(Math.floor((dayOfYear(date) + 6 - date.getDay()) / 7)),
  W: (date) => padded(Math.floor((dayOfYear(date) + 6 - ((date.getDay() + 6) % 7)) / 7)),
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  z: offset,
  Z: (date) => (date.getTimezoneOffset() === 0 ? 'UTC' : offset(date)),
  F: (date) => strftime('%Y-%m-%d', date.getTime()),
  T: (date) => strftime('%H:%M:%S', date.getTime()),
  R: (date) => strftime('%H:%M', date.getTime()),
  r: (date) => strftime('%I:%M:%S %p', date.getTime()),
  D: (date) => strftime('%m/%d/%y', date.getTime()),
  c: (date) => strftime('%a %b %e %H:%M:%S %Y', date.getTime()),
  x: (date) => strftime('%m/%d/%y', date.getTime()),
  X: (date) => strftime('%H:%M:%S', date.getTime()),
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
}

function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getFullYear(), 0, 1)
  return Math.round((Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - start) / 86_400_000) + 1
}

function offset(date: Date): string {
  const minutes = -date.getTimezoneOffset()
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${padded(Math.floor(size / 60))}${padded(size % 60)}`
}
