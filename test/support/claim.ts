import type { Claim } from '../../src/flow/outbox/claim.js'

/** A claim of a stage that is sent for the first time, with nothing in it. */
export function claimOf(more: Partial<Claim> = {}): Claim {
  return {
    id: '1',
    fence: 1,
    lane: 'order:1',
    api: 'update_progress',
    backgroundCheckId: '1',
    stageId: 'st-1',
    attempts: 0,
    ambiguous: false,
    tokensRefused: 0,
    looks: 0,
    unanswered: 0,
    probed: false,
    again: false,
    ageMs: 0,
    othersWait: false,
    orderState: 'in_progress',
    dataKey: null,
    bodySealed: null,
    claimedAt: 0,
    ...more,
  }
}
