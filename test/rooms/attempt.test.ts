import { expect, test } from 'vitest'
import { sealBody } from '../../src/flow/outbox/bodies.js'
import type { Claim } from '../../src/flow/outbox/claim.js'
import type { Settlement } from '../../src/flow/outbox/settlement.js'
import { type AttemptOptions, createAttempts } from '../../src/flow/to-feishu/attempt.js'
import type { FeishuReply } from '../../src/flow/to-feishu/reply.js'
import { createDataKey } from '../../src/platform/crypto/data-key.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { createLogger } from '../../src/platform/logger.js'
import { claimOf } from '../support/claim.js'

const sealer = createSealer([{ id: 'k1', key: Buffer.alloc(32, 7) }])
const bucket = { id: 1, appId: 'cli_a', tenantKey: 'tk_a', api: 'update_result', epoch: 'e' }

function claimAt(claimedAt: number): Claim {
  const key = createDataKey(sealer, '1')
  const body = { background_check_id: '1', result: 'clear', result_time: '1767402000000' }
  return claimOf({
    api: 'update_result',
    stageId: null,
    orderState: 'reported',
    dataKey: key.wrapped,
    bodySealed: sealBody(key, 'order:1', { api: 'update_result', body }),
    claimedAt,
  })
}

/** One attempt against a Feishu that answers so, as far as the call may be written. */
async function attempt(claim: Claim, reply: FeishuReply, broken: Partial<AttemptOptions['slots']> = {}) {
  const settlements: Settlement[] = []
  const attempts = createAttempts(bucket, {
    sealer,
    log: createLogger('silent'),
    slots: { take: async () => ({ slots: [], retryInMs: 0 }), close: async () => undefined, ...broken },
    lookUps: { mayLook: () => false, look: async () => 'absent' },
    lookAfterMs: [],
    clientOf: () => ({
      call: async (_request, { mayWrite }) => (mayWrite?.() === false ? { kind: 'withdrawn' } : reply),
      stop: async () => undefined,
    }),
    claimSlackMs: 20_000,
    timeoutMs: 1000,
    retry: { baseMs: 1, maxMs: 1, maxAgeMs: 1_000_000 },
    settle: async (settlement) => void settlements.push(settlement),
    giveBack: () => undefined,
    random: () => 0.5,
    // What a single attempt against these answers has no use for.
    database: undefined as never,
    reads: undefined as never,
    tokens: undefined as never,
  })
  const slot = { bucket: 'b', name: 'n', turn: 't', askedAt: Number.POSITIVE_INFINITY }
  await attempts.send(claim, slot, 'token', 0)
  return settlements
}

const accepted: FeishuReply = { kind: 'answer', httpStatus: 200, code: 0 }
const slowDown: FeishuReply = { kind: 'answer', httpStatus: 429, code: 99991400, resetMs: 1000 }

test('writes a call while its claim holds', async () => {
  expect(await attempt(claimAt(performance.now()), accepted)).toMatchObject([{ to: 'delivered' }])
})

test('writes nothing under a claim that is over, however fresh the slot is', async () => {
  const settled = await attempt(claimAt(performance.now() - 20_001), accepted)
  expect(settled).toMatchObject([{ to: 'pending', attempt: 0, ambiguous: false }])
})

test('keeps a known answer when the step beside it fails', async () => {
  const close = () => Promise.reject(new Error('Redis is away'))
  const settled = await attempt(claimAt(performance.now()), slowDown, { close })
  expect(settled).toMatchObject([{ to: 'pending', attempt: 0, ambiguous: false }])
})

test('tells what a key opens from what none does', async () => {
  const lines: string[] = []
  const log = createLogger('error', { write: (line) => lines.push(line) })
  const attempts = createAttempts(bucket, { sealer, log } as AttemptOptions)
  expect(attempts.canOpen(claimAt(0))).toBe(true)
  expect(attempts.canOpen({ ...claimAt(0), bodySealed: Buffer.from([9, 9]) })).toBe(false)
  expect(attempts.canOpen({ ...claimAt(0), dataKey: null, bodySealed: null })).toBe(false)
  expect(lines.at(-1)).toContain('nothing to send: the delivery has no data key of the order and no body')
})
