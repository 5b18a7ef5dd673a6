import { expect, test } from 'vitest'
import { sealBody } from '../../src/flow/outbox/bodies.js'
import type { Settlement } from '../../src/flow/outbox/settlement.js'
import { createPlaces } from '../../src/flow/to-feishu/places.js'
import { Pump, type PumpOptions } from '../../src/flow/to-feishu/pump.js'
import type { FeishuReply } from '../../src/flow/to-feishu/reply.js'
import { createDataKey } from '../../src/platform/crypto/data-key.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import type { Slot } from '../../src/platform/limiter/limiter.js'
import { createLogger } from '../../src/platform/logger.js'
import { eventually } from '../support/eventually.js'

const sealer = createSealer([{ id: 'k1', key: Buffer.alloc(32, 7) }])
const bucket = { id: 1, appId: 'cli_a', tenantKey: 'tk_a', api: 'update_result', epoch: 'e' }
const accepted: FeishuReply = { kind: 'answer', httpStatus: 200, code: 0 }

function row(id: string) {
  const key = createDataKey(sealer, id)
  const lane = `order:${id}`
  const body = { background_check_id: id, result: 'clear', result_time: '1767402000000' }
  return {
    id,
    fence: 1,
    lane,
    api: 'update_result',
    background_check_id: id,
    stage_id: null,
    attempts: 0,
    ambiguous: false,
    tokens_refused: null,
    looks: null,
    probed: null,
    again: false,
    age_ms: 0,
    others_wait: false,
    order_state: 'reported',
    data_key: key.wrapped,
    body_sealed: sealBody(key, lane, { api: 'update_result', body }),
  }
}

interface Setting {
  /** What is due; a claim takes from it. */
  due: string[]
  /** Slots that are left. */
  slots?: number
  retryInMs?: number
  places?: number
  reply?: () => Promise<FeishuReply>
  onClaim?: (pump: Pump) => void
}

/** A pump on rows and slots that are lists, and what it asked of them. */
function pumpOn({ due, slots = 50, retryInMs = 60_000, places = 512, reply = async () => accepted, onClaim }: Setting) {
  const seen = { claims: [] as number[], taken: [] as number[], settled: [] as Settlement[], flying: 0, mostFlying: 0 }
  let left = slots
  const take = async (_bucket: unknown, calls: readonly { id: string }[]) => {
    const askedAt = performance.now()
    const granted = calls.slice(0, left).map(({ id }): Slot => ({ bucket: 'b', name: id, turn: 't', askedAt }))
    left -= granted.length
    seen.taken.push(granted.length)
    return { slots: granted, retryInMs: left === 0 ? retryInMs : 0 }
  }
  const query = async ({ values }: { values: [number, number, number] }) => {
    seen.claims.push(values[1])
    const rows = due.splice(0, values[1]).map(row)
    onClaim?.(pump)
    return { rows }
  }
  const call = async () => {
    seen.flying += 1
    seen.mostFlying = Math.max(seen.mostFlying, seen.flying)
    const answer = await reply()
    seen.flying -= 1
    return answer
  }
  const options: Omit<PumpOptions, 'database' | 'tokens' | 'reads'> = {
    sealer,
    log: createLogger('silent'),
    slots: { take, close: async () => undefined },
    places: createPlaces({ most: places, mostSlow: 0, slowAfterMs: 1000 }),
    windows: [{ limit: 50, windowMs: 1000 }],
    slowDowns: new Map(),
    lookUps: { mayLook: () => false, look: async () => 'absent' },
    lookAfterMs: [],
    clientOf: () => ({ call, stop: async () => undefined }),
    claimSlackMs: 20_000,
    timeoutMs: 1000,
    retry: { baseMs: 1, maxMs: 1, maxAgeMs: 1_000_000 },
    settle: async (settlement) => void seen.settled.push(settlement),
    giveBack: () => undefined,
    random: () => 0.5,
  }
  const pump: Pump = new Pump(bucket, {
    ...options,
    // Of the database a claim uses the pool's query alone, of the tokens a pump uses only this, and nothing is read.
    database: { pool: { query } } as never,
    tokens: { tenantToken: async () => ({ kind: 'token', token: 't' }) } as never,
    reads: undefined as never,
  })
  return { pump, seen }
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1))

test('ends after one claim when that found all that is due', async () => {
  const { pump, seen } = pumpOn({ due: ids(3) })
  expect(await pump.run()).toEqual({ notBeforeMs: 0 })
  expect(seen.settled).toHaveLength(3)
  expect(seen.claims).toEqual([50])
})

test('does not wait for the next slot when nothing is left to send', async () => {
  const { pump, seen } = pumpOn({ due: ids(3), slots: 3 })
  await pump.run()
  expect(seen.settled).toHaveLength(3)
})

test('claims nothing for a window that is full', async () => {
  const { pump, seen } = pumpOn({ due: ids(80) })
  const ended = pump.run()
  await eventually(() => seen.settled).toHaveLength(50)
  pump.stop()
  await ended
  expect(seen.claims).toEqual([50])
  expect(seen.settled.every(({ to }) => to === 'delivered')).toBe(true)
})

test('claims again when the next slot comes free', async () => {
  const { pump, seen } = pumpOn({ due: ids(60), slots: 50, retryInMs: 20 })
  const ended = pump.run()
  await eventually(() => seen.claims.length).toBeGreaterThan(1)
  pump.stop()
  await ended
  expect(seen.settled.filter(({ to }) => to === 'delivered')).toHaveLength(50)
})

test('claims again what a hint announced while a claim was on its way', async () => {
  const due = ids(1)
  const later = ['9']
  const { pump, seen } = pumpOn({
    due,
    onClaim: (self) => {
      if (later.length > 0) self.wake()
      due.push(...later.splice(0))
    },
  })
  await pump.run()
  expect(seen.settled.map(({ id }) => id)).toEqual(['1', '9'])
})

test('claims again at once what was settled for another try', async () => {
  const due = ids(1)
  const replies: FeishuReply[] = [{ kind: 'withdrawn' }, accepted]
  const { pump, seen } = pumpOn({
    due,
    reply: async () => {
      const reply = replies.shift() ?? accepted
      if (reply.kind === 'withdrawn') due.push('1')
      return reply
    },
  })
  await pump.run()
  expect(seen.settled.map(({ to }) => to)).toEqual(['pending', 'delivered'])
})

test('has no more calls under way than there are places, and no slot waits for one', async () => {
  const held: Array<() => void> = []
  const reply = () => new Promise<FeishuReply>((resolve) => held.push(() => resolve(accepted)))
  const { pump, seen } = pumpOn({ due: ids(5), places: 2, reply })
  const ended = pump.run()
  await eventually(() => held).toHaveLength(2)
  expect(seen.taken).toEqual([2])
  while (seen.settled.length < 5) {
    for (const answer of held.splice(0)) answer()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await ended
  expect(seen.mostFlying).toBe(2)
})
