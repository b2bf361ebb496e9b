import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { epochMs, localTimestamp, parseTimestamp, printTimestamp, type Timestamp, withLocalZone } from './timestamp.ts'

/** A Saturday. */
const TODAY = { year: 2026, month: 11, day: 21 }

const ACCEPTED: readonly (readonly [text: string, iso: string])[] = [
  ['2030-05-01T10:00', '2030-05-01T10:00:00'],
  ['2030-05-01 10:00', '2030-05-01T10:00:00'],
  ['2030-05-01 10:00:30', '2030-05-01T10:00:30'],
  ['2030-05-01T10:00:00.123456+00:00', '2030-05-01T10:00:00.123456+00:00'],
  ['2030-05-01 10:00:00.123456+00:00', '2030-05-01T10:00:00.123456+00:00'],
  ['2030-05-01T10:00:00.1234567899+00:00', '2030-05-01T10:00:00.123456+00:00'],
  ['2030-05-01T10:00:00,5Z', '2030-05-01T10:00:00.500000+00:00'],
  ['2030-05-01T10:00Z', '2030-05-01T10:00:00+00:00'],
  ['2030-05-01T10:00z', '2030-05-01T10:00:00+00:00'],
  ['2030-05-01T10:00+02', '2030-05-01T10:00:00+02:00'],
  ['2030-05-01T10:00+00', '2030-05-01T10:00:00+00:00'],
  ['2030-05-01T10:00-00:00', '2030-05-01T10:00:00+00:00'],
  ['2030-05-01T10:00+02:00', '2030-05-01T10:00:00+02:00'],
  ['2030-05-01T10:00-0300', '2030-05-01T10:00:00-03:00'],
  ['2030-05-01T10:00-3', '2030-05-01T10:00:00-03:00'],
  ['2030-05-01T10:00+0530', '2030-05-01T10:00:00+05:30'],
  ['2030-05-01T10:00 UTC', '2030-05-01T10:00:00+00:00'],
  ['2030-05-01T10:00 GMT', '2030-05-01T10:00:00+00:00'],
  ['2030-05-01 10:00:00 +0100', '2030-05-01T10:00:00+01:00'],
  ['2030-05-01T10:00 CET', '2030-05-01T10:00:00'],
  ['20300501T100000Z', '2030-05-01T10:00:00+00:00'],
  ['20300501T100000.25+01', '2030-05-01T10:00:00.250000+01:00'],
  ['20300501T1000', '2030-05-01T10:00:00'],
  ['20300501T10', '2030-05-01T10:00:00'],
  ['20300501', '2030-05-01T00:00:00'],
  ['20300501 10:00', '2030-05-01T10:00:00'],
  ['2030-05-01T10', '2030-05-01T10:00:00'],
  ['2030-05-01', '2030-05-01T00:00:00'],
  ['2028-02-29', '2028-02-29T00:00:00'],
  ['10:00', '2026-11-21T10:00:00'],
  ['9:05+02:00', '2026-11-21T09:05:00+02:00'],
  ['Wed 10:00', '2026-11-25T10:00:00'],
  ['saturday 10:00', '2026-11-21T10:00:00'],
  ['Fri 10:00 UTC', '2026-11-27T10:00:00+00:00'],
  ['May 1 2030 10:00', '2030-05-01T10:00:00'],
  ['May 1, 2030 10:00', '2030-05-01T10:00:00'],
  ['1 May 2030 10am', '2030-05-01T10:00:00'],
  ['1 May 2030 12:30 am', '2030-05-01T00:30:00'],
  ['1-Sept-2030 10 pm', '2030-09-01T22:00:00'],
  ['Wed, 1 May 2030 10:00:00 GMT', '2030-05-01T10:00:00+00:00'],
  ['May 1 10:00', '2026-05-01T10:00:00'],
  ['2030.05.01 10:00', '2030-05-01T10:00:00'],
  ['2030/05/01 10:00', '2030-05-01T10:00:00'],
  ['05/01/2030 10:00', '2030-05-01T10:00:00'],
  ['13/01/2030 10:00', '2030-01-13T10:00:00'],
  ['  2030-05-01T10:00:00+00:00 ', '2030-05-01T10:00:00+00:00'],
  ['2024-08-28 19:39:26.35+00', '2024-08-28T19:39:26.350000+00:00'],
]

for (const [text, iso] of ACCEPTED)
  test(`6 "${text}" means ${iso}`, () => {
    const parsed = parseTimestamp(text, TODAY)
    assert.ok(parsed)
    assert.equal(printTimestamp(parsed), iso)
  })

const REFUSED = `now|NOW|tomorrow|+1h|1893495600|2030-W18-3|2030-121|2030121|2030-02-30|2029-02-29|2030-13-01|2030-00-10
2030-05-01T25:00|2030-05-01T24:00|2030-05-01T10:60|2030-05-01T10:00:61|2030-05-01T10:00+24:00|2030-05-01T10:00+02:75
2030-05-01T10:00+1h|13:00 pm|31/31/2030 10:00|05/01/30 10:00|Wed Thu 10:00|Juntember 1 2030|2030-05-01T10:00 nonsense
[]|2030-05-01T10:0|10|May|1 2 3 2030|0000-01-01|2030-05-01T100:00`.split(/[|\n]/)
REFUSED.push('', ' ', '9'.repeat(200))
for (const text of REFUSED)
  test(`6 "${text.slice(0, 40)}" is not a timestamp`, () => {
    assert.equal(parseTimestamp(text, TODAY), null)
  })

test('a time without a date is refused where nobody says what today is', () => {
  assert.equal(parseTimestamp('10:00'), null)
  assert.equal(parseTimestamp('Wed 10:00'), null)
  assert.equal(parseTimestamp('May 1 10:00'), null)
})

test('what is printed reads back as the same moment', () => {
  const timestamp = fc
    .record({
      at: fc.date({
        min: new Date('1000-01-02T00:00:00Z'),
        max: new Date('9999-12-30T00:00:00Z'),
        noInvalidDate: true,
      }),
      microsecond: fc.integer({ min: 0, max: 999_999 }),
      offsetMinutes: fc.option(fc.integer({ min: -1439, max: 1439 })),
    })
    .map(
      ({ at, microsecond, offsetMinutes }): Timestamp => ({
        year: at.getUTCFullYear(),
        month: at.getUTCMonth() + 1,
        day: at.getUTCDate(),
        hour: at.getUTCHours(),
        minute: at.getUTCMinutes(),
        second: at.getUTCSeconds(),
        microsecond,
        offsetMinutes,
      }),
    )
  fc.assert(
    fc.property(timestamp, fc.constantFrom('T' as const, ' ' as const), (at, separator) => {
      assert.deepEqual(parseTimestamp(printTimestamp(at, separator)), at)
    }),
  )
})

test('no text makes the parser fail, and what it accepts is printable', () => {
  const piece = fc.constantFrom(
    '2030',
    '-',
    '05',
    '01',
    'T',
    ' ',
    '10',
    ':',
    '00',
    'Z',
    '+',
    '.',
    'may',
    'wed',
    'pm',
    '/',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 14 }).map((list) => list.join('')),
      ),
      (text) => {
        const parsed = parseTimestamp(text, TODAY)
        if (parsed) assert.deepEqual(parseTimestamp(printTimestamp(parsed)), parsed)
      },
    ),
  )
})

test('epochMs counts the offset and the microseconds', () => {
  const at = parseTimestamp('1970-01-01T01:00:00.001500+01:00')
  assert.ok(at)
  assert.equal(epochMs(at), 1.5)
  assert.equal(epochMs({ ...at, offsetMinutes: null }), null)
})

test('the local zone is that of the date, and a given zone is kept', () => {
  const given = parseTimestamp('2030-05-01T10:00+03:00')
  assert.ok(given)
  assert.equal(withLocalZone(given).offsetMinutes, 180)
  const filled = withLocalZone({ ...given, offsetMinutes: null })
  assert.equal(filled.offsetMinutes, -new Date(2030, 4, 1, 10).getTimezoneOffset())
  const wallMs = Date.UTC(2026, 10, 21, 3, 4, 5, 678)
  assert.equal(epochMs(localTimestamp(wallMs)), wallMs)
})
