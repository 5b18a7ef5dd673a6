import { describe, expect, it } from 'vitest'
import { mostInFlight, paceWithoutSlots, restAfter, restLeft, restWhenFull } from '../../src/flow/to-feishu/pacing.js'

const justClaimed = { granted: 12, retryInMs: 0, inHandForMs: 0 }

describe('claims that got no slot', () => {
  it('wait for slots that come free close together', () => {
    expect(paceWithoutSlots(justClaimed)).toEqual({ kind: 'keep', restMs: 25 })
    expect(paceWithoutSlots({ ...justClaimed, granted: 10 })).toEqual({ kind: 'keep', restMs: 25 })
  })

  it('wait longer where few slots came at once, to take several', () => {
    expect(paceWithoutSlots({ ...justClaimed, granted: 9 })).toEqual({ kind: 'keep', restMs: 100 })
    expect(paceWithoutSlots({ ...justClaimed, granted: 1 })).toEqual({ kind: 'keep', restMs: 100 })
  })

  it('wait until the next slot can come free, when that is later', () => {
    expect(paceWithoutSlots({ ...justClaimed, retryInMs: 180 })).toEqual({ kind: 'keep', restMs: 180 })
    expect(paceWithoutSlots({ ...justClaimed, granted: 1, retryInMs: 180 })).toEqual({ kind: 'keep', restMs: 180 })
  })

  it('wait a little beyond the next slot when none came, so that the slots beside it are free, too', () => {
    expect(paceWithoutSlots({ ...justClaimed, granted: 0, retryInMs: 40 })).toEqual({ kind: 'keep', restMs: 45 })
  })

  it('go back when they would be in hand for 250 ms', () => {
    const nearly = { ...justClaimed, inHandForMs: 224 }
    expect(paceWithoutSlots(nearly)).toEqual({ kind: 'keep', restMs: 25 })
    expect(paceWithoutSlots({ ...nearly, inHandForMs: 225 })).toMatchObject({ kind: 'hand_back' })
  })

  it('go back after a short wait to be due 15 ms before the next turn, which claims twice what was granted', () => {
    const long = { granted: 12, retryInMs: 30, inHandForMs: 240 }
    expect(paceWithoutSlots(long)).toEqual({ kind: 'hand_back', dueInMs: 15, restMs: 30, claimSize: 24 })
    expect(paceWithoutSlots({ ...long, retryInMs: 250 })).toMatchObject({ dueInMs: 235, restMs: 250, claimSize: 24 })
  })

  it('are claimed at least four at once after a short wait', () => {
    const one = { granted: 1, retryInMs: 0, inHandForMs: 200 }
    expect(paceWithoutSlots(one)).toEqual({ kind: 'hand_back', dueInMs: 85, restMs: 100, claimSize: 4 })
    expect(paceWithoutSlots({ ...one, granted: 3 })).toMatchObject({ claimSize: 6 })
  })

  it('are never due in the past', () => {
    const none = { granted: 0, retryInMs: 1, inHandForMs: 250 }
    expect(paceWithoutSlots(none)).toEqual({ kind: 'hand_back', dueInMs: 0, restMs: 6, claimSize: 4 })
  })

  it('go back at once for a long wait, whose next turn begins 15 ms early and claims as many as ever', () => {
    const long = { granted: 1, retryInMs: 251, inHandForMs: 0 }
    expect(paceWithoutSlots(long)).toEqual({ kind: 'hand_back', dueInMs: 221, restMs: 236, claimSize: 50 })
    const minute = { granted: 0, retryInMs: 60_000, inHandForMs: 0 }
    expect(paceWithoutSlots(minute)).toEqual({ kind: 'hand_back', dueInMs: 59_975, restMs: 59_990, claimSize: 50 })
  })
})

describe('the rest', () => {
  it('of a full window ends 15 ms before its next slot, and is not negative', () => {
    expect(restWhenFull(1000)).toBe(985)
    expect(restWhenFull(15)).toBe(0)
    expect(restWhenFull(3)).toBe(0)
  })

  it('has the time of handing back in it, and is never nothing', () => {
    expect(restLeft(100, 30)).toBe(70)
    expect(restLeft(100, 100)).toBe(1)
    expect(restLeft(100, 4000)).toBe(1)
  })

  it('after an answer is what Feishu asked for, a second for a hold, and nothing else', () => {
    expect(restAfter({ kind: 'slow_down', resetMs: 7000 })).toBe(7000)
    expect(restAfter({ kind: 'hold', scope: 'tenant', code: 1, reason: 'x' })).toBe(1000)
    expect(restAfter({ kind: 'evict_token', alsoAppToken: false })).toBe(0)
    expect(restAfter({ kind: 'none' })).toBe(0)
  })
})

it('as many calls may be in flight as the narrowest window has slots', () => {
  const windows = [
    { limit: 50, windowMs: 1000 },
    { limit: 10, windowMs: 200 },
    { limit: 1000, windowMs: 60_000 },
  ]
  expect(mostInFlight(windows)).toBe(10)
})
