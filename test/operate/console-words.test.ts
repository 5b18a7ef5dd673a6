import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { timelineKinds } from '../../src/flow/timeline.js'
import { languages } from '../../src/operate/console/languages.js'
import { drawnOf, minuteLimitOf, ranked, toldOf } from '../../src/operate/console/quota-figures.js'
import { gridOf, spanNames, spanOf } from '../../src/operate/console/spans.js'
import { texts } from '../../src/operate/console/texts.js'
import { flagWords, timelineWords, wordsOf } from '../../src/operate/console/words.js'

const docs = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8')

/** Names in the first column of the table under a heading of docs/api.md. */
function documentedUnder(heading: string, head: string): string[] {
  const part = docs.slice(docs.indexOf(`## ${heading}`))
  const table = part.slice(part.indexOf(`| ${head} |`)).split('\n\n')[0] ?? ''
  return [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => name)
}

describe('words', () => {
  it.each(languages)('are there in %s for every kind of a timeline, and for every flag', (language) => {
    expect(documentedUnder('The timeline', 'kind').toSorted()).toEqual([...timelineKinds].toSorted())
    for (const kind of timelineKinds) expect(wordsOf(timelineWords, kind, language), kind).toMatch(/\S/)
    const flags = documentedUnder('States', 'flag')
    expect(flags.length).toBeGreaterThan(10)
    for (const flag of flags) expect(wordsOf(flagWords, flag, language), flag).toMatch(/\S/)
    expect(Object.keys(flagWords).toSorted()).toEqual(flags.toSorted())
  })

  it('fall back to the name for what is newer than they are', () => {
    for (const name of ['brand_new', 'constructor', '__proto__'])
      expect(wordsOf(timelineWords, name, 'zh')).toBeUndefined()
  })

  it('take the same values in both languages', () => {
    const valuesOf = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).toSorted()
    for (const [name, { zh, en }] of Object.entries(texts)) expect(valuesOf(zh), name).toEqual(valuesOf(en))
  })
})

const point = (at: string, calls: number, limited = 0) => ({ at, calls, delivered: calls, limited, peak: calls })
const now = Date.parse('2026-01-02T03:05:05Z')

describe('figures of the quota', () => {
  it('fill steps without calls with nought, and end with the last whole minute', () => {
    const { from, step, peaks, limited } = drawnOf(
      [point('2026-01-02T03:04:00Z', 7, 1), point('2026-01-02T02:05:00Z', 5)],
      '1h',
      now,
    )
    expect([from * 1000, step, peaks.length]).toEqual([Date.parse('2026-01-02T02:05:00Z'), 60, 60])
    expect([peaks[0], peaks[1], peaks.at(-1), limited.at(-1)]).toEqual([5, 0, 7, 1])
  })

  it('pass over what lies outside of the span', () => {
    const outside = [point('2026-01-02T02:04:00Z', 9), point('2026-01-02T03:05:00Z', 9)]
    expect(Math.max(...drawnOf(outside, '1h', now).peaks)).toBe(0)
  })

  it.each(spanNames)('have few enough steps to draw over %s', (span) => {
    expect(gridOf(span, now).count).toBeLessThanOrEqual(1440)
  })

  it('are told by the days of the time zone', () => {
    const points = [
      point('2026-01-01T15:00:00Z', 1),
      point('2026-01-01T16:00:00Z', 2),
      point('2026-01-02T15:00:00Z', 3),
    ]
    expect(toldOf(points, '7d', 'Asia/Shanghai').map(({ label, calls, peak }) => [label, calls, peak])).toEqual([
      ['2026-01-02', 5, 3],
      ['2026-01-01', 1, 1],
    ])
    expect(toldOf(points, '24h', 'Asia/Kolkata').map(({ label }) => label)).toContain('2026-01-01 20:00')
  })

  it('are held against the tightest window, as calls in a minute', () => {
    expect(
      minuteLimitOf([
        { limit: 50, window_ms: 1000 },
        { limit: 1000, window_ms: 60_000 },
      ]),
    ).toBe(1000)
    expect(minuteLimitOf([{ limit: 10, window_ms: 1000 }])).toBe(600)
  })

  it('come with those first that called most', () => {
    const one = { app_id: 'a', windows: [], points: [point('2026-01-02T03:04:00Z', 1)] }
    const found = ranked([
      { ...one, tenant_key: 'few', api: 'cancel' },
      { ...one, tenant_key: 'many', api: 'cancel', points: [point('2026-01-02T03:04:00Z', 9)] },
    ])
    expect(found.map((each) => each.tenant_key)).toEqual(['many', 'few'])
  })

  it('are those of an hour where another span is asked for', () => {
    expect([spanOf(null), spanOf('9h'), spanOf('35d')]).toEqual(['1h', '1h', '35d'])
  })
})
