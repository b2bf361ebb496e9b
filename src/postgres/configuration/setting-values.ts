import { parseBool, parseInteger, parseReal } from '../../cluster/values.ts'

/**
 * Whether a live `pg_settings.setting` says the same as a configured value (spec postgres.md 2.14): `1GB` is `131072`
 * of 8kB. What cannot be read on either side is different.
 * @param type as `pg_settings.vartype` names it
 */
export function isEquivalent(type: string, unit: string | null, setting: string, configured: string): boolean {
  switch (type) {
    case 'bool':
      return equalNumbers(parseBool(setting), parseBool(configured))
    case 'integer':
      return equalNumbers(parseInteger(setting), parseInteger(configured, unit ?? undefined))
    case 'real':
      return equalNumbers(parseReal(setting), parseReal(configured, unit ?? undefined))
    case 'enum':
      return setting.toLowerCase() === configured.toLowerCase()
    default:
      return setting === configured
  }
}

function equalNumbers<T extends number | boolean>(one: T | undefined, other: T | undefined): boolean {
  return one !== undefined && one === other
}

/** Units from the largest, each with how many of the next smaller one it holds. */
const LADDERS: readonly (readonly (readonly [unit: string, size: number])[])[] = [
  [
    ['TB', 1024 ** 4],
    ['GB', 1024 ** 3],
    ['MB', 1024 ** 2],
    ['kB', 1024],
    ['B', 1],
  ],
  [
    ['d', 86_400_000_000],
    ['h', 3_600_000_000],
    ['min', 60_000_000],
    ['s', 1_000_000],
    ['ms', 1000],
    ['us', 1],
  ],
]

/**
 * A bare number in its base unit as people write it: `16384` of 8kB is `128MB`, `300` s is `5min` (spec
 * configuration.md 1.4). Zero, text and negative sentinels such as -1 stay as they are, except that a unit is shown.
 */
export function humanForm(type: string, unit: string | null, value: string | null): string {
  if (value === null) return ''
  if ((type !== 'integer' && type !== 'real') || !unit) return value
  const number = (type === 'integer' ? parseInteger : parseReal)(value)
  const base = /^(\d*)([A-Za-z]+)$/.exec(unit)
  const ladder = LADDERS.find((one) => one.some(([name]) => name === base?.[2]))
  if (number === undefined || number === 0 || !base || !ladder) return value
  const size = ladder.find(([name]) => name === base[2])?.[1] ?? 1
  // "no limit" and "choose yourself" are not quantities
  if (number < 0 && base[1]) return value
  const total = number * Number(base[1] || 1) * size
  const tolerance = type === 'real' ? 1e-8 : 0
  const largest = ladder.find(([, one]) => {
    const amount = Math.abs(total / one)
    return amount >= 1 - tolerance && Math.abs(amount - Math.round(amount)) <= tolerance
  })
  if (!largest) return value
  const amount = total / largest[1]
  return `${type === 'real' ? Number(amount.toPrecision(6)) : amount}${largest[0]}`
}
