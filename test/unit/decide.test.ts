import { describe, expect, it } from 'vitest'
import type { Claim } from '../../src/flow/outbox/claim.js'
import { decide } from '../../src/flow/to-feishu/decide.js'
import type { FeishuReply } from '../../src/flow/to-feishu/reply.js'
import { claimOf } from '../support/claim.js'

const terms = { baseMs: 1000, maxMs: 900_000, maxAgeMs: 259_200_000 }

const answer = (code: number, httpStatus = 400): FeishuReply => ({ kind: 'answer', httpStatus, code })
const lost: FeishuReply = { kind: 'lost', message: 'no complete answer' }
const decided = (claim: Partial<Claim>, reply: FeishuReply) => decide(claimOf(claim), reply, terms, 0, 0.5)

describe('a refused token', () => {
  it.each([0, 1, 2])('is fetched anew after %i refusals, and that is no attempt', (tokensRefused) => {
    const { settled, aside, lastError } = decided({ tokensRefused }, answer(99991663, 200))
    expect(settled).toMatchObject({ to: 'pending', attempt: 0 })
    expect(aside).toMatchObject({ kind: 'evict_token' })
    expect(lastError).toMatchObject({ tokens_refused: tokensRefused + 1 })
  })

  it('is the end after three that Feishu had just given', () => {
    expect(decided({ tokensRefused: 3 }, answer(99991663, 200)).settled).toMatchObject({ to: 'dead' })
  })
})

describe('an agreement that was created', () => {
  const created = (id: unknown) =>
    decided({ api: 'tripartite_agreements.create' }, { kind: 'answer', httpStatus: 200, code: 0, data: { id } }).settled

  it('has the id that Feishu gave it', () => {
    expect(created('7400000000000000301')).toMatchObject({ to: 'delivered', answer: { id: '7400000000000000301' } })
  })

  it.each(['a\0', '', '../1', '7'.repeat(33), 7, null])('has none that is no id of Feishu: %j', (id) => {
    expect(created(id)).toMatchObject({ to: 'delivered' })
    expect(created(id)).not.toHaveProperty('answer')
  })
})

describe('an attempt without an answer', () => {
  it('is tried again, and remembered as one that may have taken effect', () => {
    expect(decided({}, lost).settled).toMatchObject({ to: 'pending', attempt: 1, ambiguous: true })
  })

  it('is dead as unconfirmed past the age, for a stage that others wait behind after a twelfth of it', () => {
    const dead = { to: 'dead', class: 'unconfirmed' }
    expect(decided({ ageMs: terms.maxAgeMs }, lost).settled).toEqual(dead)
    expect(decided({ ageMs: terms.maxAgeMs / 12, othersWait: true }, lost).settled).toEqual(dead)
    expect(decided({ ageMs: terms.maxAgeMs / 12 }, lost).settled).toMatchObject({ to: 'pending' })
  })
})

describe('what is no attempt', () => {
  it.each([
    ['a rate limit', answer(99991400, 429)],
    ['a missing scope', answer(99991672, 403)],
    ['a slot that grew too old', { kind: 'withdrawn' } as const],
  ])('%s', (_what, reply) => {
    expect(decided({}, reply).settled).toMatchObject({ to: 'pending', attempt: 0, ambiguous: false })
  })
})

describe('a result that is sent again behind one that Feishu took', () => {
  const again = { api: 'update_result', again: true } as const

  it.each([true, false])('is dead when the order is closed; after a lost answer (%s) nobody knows', (ambiguous) => {
    const { settled } = decided({ ...again, ambiguous }, answer(1002858))
    expect(settled).toEqual({ to: 'dead', class: ambiguous ? 'unconfirmed' : 'feishu' })
  })

  it.each([true, false])(
    'waits an hour while the one before is being approved, also after a lost answer (%s)',
    (ambiguous) => {
      const { settled } = decided({ ...again, ambiguous }, answer(1002863, 500))
      expect(settled).toMatchObject({ to: 'pending', inMs: 3_600_000 })
    },
  )

  it('is told from the first one, of which a refusal after a lost answer says that it was taken', () => {
    const first = { api: 'update_result', ambiguous: true } as const
    expect(decided(first, answer(1002858)).settled).toMatchObject({ to: 'delivered', confirmed: false })
    expect(decided(first, answer(1002863, 500)).settled).toMatchObject({ to: 'delivered', heldForApproval: true })
  })
})
