import { describe, expect, it } from 'vitest'
import { afterLook } from '../../src/flow/to-feishu/look-first.js'

const terms = { baseMs: 1000, maxMs: 900_000, maxAgeMs: 259_200_000 }
const afterMs = [2000, 10_000, 60_000]
const fresh = { looks: 0, unanswered: 0, ageMs: 0, othersWait: false }

describe('a look without an answer', () => {
  it.each(['no_answer', 'token_refused'] as const)(
    'is made again, ever later, and is none of the three: %s',
    (seen) => {
      const waits = [0, 1, 2, 20].map((unanswered) =>
        afterLook(seen, { ...fresh, looks: 2, unanswered }, afterMs, terms),
      )
      expect(waits).toMatchObject([
        { to: 'pending', inMs: 2000, ages: true, lastError: { looks: 2, unanswered: 1 } },
        { to: 'pending', inMs: 4000, ages: true, lastError: { looks: 2, unanswered: 2 } },
        { to: 'pending', inMs: 8000, ages: true, lastError: { looks: 2, unanswered: 3 } },
        { to: 'pending', inMs: 900_000, ages: true, lastError: { looks: 2, unanswered: 21 } },
      ])
    },
  )

  it('ends as unconfirmed when the delivery is too old, sooner where others wait behind it', () => {
    const old = { to: 'dead', class: 'unconfirmed' }
    expect(afterLook('no_answer', { ...fresh, ageMs: terms.maxAgeMs }, afterMs, terms)).toMatchObject(old)
    const twelfth = { ...fresh, ageMs: terms.maxAgeMs / 12 }
    expect(afterLook('no_answer', { ...twelfth, othersWait: true }, afterMs, terms)).toMatchObject(old)
    expect(afterLook('no_answer', twelfth, afterMs, terms)).toMatchObject({ to: 'pending' })
  })
})

it('three looks that do not find it lead to a repeat, and so does the first that may not look', () => {
  const waits = [0, 1, 2].map((looks) => afterLook('absent', { ...fresh, looks }, afterMs, terms))
  expect(waits).toMatchObject([
    { inMs: 8000, lastError: { looks: 1 } },
    { inMs: 50_000, lastError: { looks: 2 } },
    { inMs: 0, lastError: { looks: 3 } },
  ])
  expect(afterLook('unreadable', fresh, afterMs, terms)).toMatchObject({ inMs: 0, lastError: { looks: 3 } })
})
