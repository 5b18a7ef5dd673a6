import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { dismissFinding } from '../../src/flow/findings.js'
import { reviveDelivery } from '../../src/flow/outbox/revive.js'
import { settleMissing, settlePage } from '../../src/flow/reconcile/settle-page.js'
import { type ClaimedSweep, claimSweep, sweepNow } from '../../src/flow/reconcile/sweeps.js'
import type { FeishuOrder } from '../../src/flow/to-feishu/order-reads.js'
import { delivered, lanesOn, origin } from '../support/lane-room.js'
import { count, freshId, type Ground, layGround, one } from '../support/room.js'
import { saying, stage } from '../support/vendor-words.js'

let ground: Ground
let lanes: ReturnType<typeof lanesOn>

beforeEach(async () => {
  ground = await layGround()
  lanes = lanesOn(ground)
})

afterEach(() => ground.stop())

const inferred = { ...delivered, confirmed: false }
const lost = { to: 'dead', class: 'unconfirmed' } as const

async function claim(): Promise<ClaimedSweep> {
  await sweepNow(ground.database.pool, {})
  await ground.database.pool.query('UPDATE sweeps SET lease_until = NULL')
  const claimed = await claimSweep(ground.database.pool, [origin.appId], 60_000)
  if (claimed === null) throw new Error('no sweep is due')
  return claimed
}

function settle(sweep: ClaimedSweep, orders: FeishuOrder[], database = ground.database) {
  const { sealer, log } = ground
  const options = { database, sealer, log, keepers: [], quietMs: 0, onSettled: () => undefined }
  const page = { orders, certainUntil: Date.now() + 1000, knownSince: 0 }
  return settlePage(options, sweep, new Set(['us']), page)
}

function shown(id: string, status: number, more: Partial<FeishuOrder> = {}): FeishuOrder {
  return { id, status, stages: [], hasResult: false, beganAt: 1, updatedAt: 2, provider: 'us', ...more }
}

/** An order that the vendor completed, whose only delivery, the result, was settled so. */
async function withResult(settled: typeof inferred | typeof lost): Promise<string> {
  const id = await lanes.place()
  await lanes.record(id, saying('completed', []))
  await lanes.settle(await lanes.claim(), settled)
  return id
}

const order = (id: string) =>
  one<{ state: string; attention: string[] }>(ground.database, 'SELECT * FROM orders WHERE background_check_id = $1', [
    id,
  ])
const finding = () =>
  one<{ id: string; kind: string; state: string; settled_at: Date | null }>(ground.database, 'SELECT * FROM findings')
const timeline = async (id: string) =>
  (
    await ground.database.pool.query<{ kind: string }>(
      'SELECT kind FROM timeline WHERE background_check_id = $1 ORDER BY id',
      [id],
    )
  ).rows.map(({ kind }) => kind)

describe('two processes that settle the same answer at once', () => {
  test('cancel an order once', async () => {
    const id = await lanes.place()
    const sweep = await claim()
    const both = [ground.database, ground.another()].map((database) => settle(sweep, [shown(id, 4)], database))
    expect((await Promise.all(both)).map(({ repaired }) => repaired).toSorted()).toEqual([0, 1])
    expect((await timeline(id)).filter((kind) => kind === 'canceled_by_customer')).toHaveLength(1)
    expect(await count(ground.database, `vendor_tasks WHERE action = 'cancel'`)).toBe(1)
    expect(await finding()).toMatchObject({ kind: 'terminated_in_feishu', state: 'repaired' })
  })

  test('send a result again once', async () => {
    const id = await withResult(inferred)
    const sweep = await claim()
    const both = [ground.database, ground.another()].map((database) => settle(sweep, [shown(id, 2)], database))
    expect((await Promise.all(both)).map(({ repaired }) => repaired).toSorted()).toEqual([0, 1])
    expect((await timeline(id)).filter((kind) => kind === 'revived')).toHaveLength(1)
    expect((await lanes.rows(id)).map(({ state }) => state)).toEqual(['pending'])
  })

  test('list a difference once', async () => {
    await lanes.place()
    const sweep = await claim()
    const unknown = freshId()
    const both = [ground.database, ground.another()].map((database) => settle(sweep, [shown(unknown, 2)], database))
    expect((await Promise.all(both)).map(({ found }) => found).toSorted()).toEqual([0, 1])
    expect(await finding()).toMatchObject({ kind: 'created_event_lost', state: 'open' })
  })
})

test('a process whose sweep was taken over changes nothing', async () => {
  const id = await lanes.place()
  const old = await claim()
  await claim()
  const counts = await settle(old, [shown(id, 4), shown(freshId(), 2)])
  expect(counts).toMatchObject({ found: 0, repaired: 0 })
  expect((await order(id)).state).toBe('ordered')
  expect(await count(ground.database, 'findings')).toBe(0)
})

describe('a call of which nobody knows whether Feishu took it', () => {
  test('that is a cancel ends its order when Feishu terminated it, and nobody else is told', async () => {
    const id = await lanes.place()
    await lanes.record(id, saying('canceled', []))
    await lanes.settle(await lanes.claim(), delivered)
    await lanes.settle(await lanes.claim(), lost)
    await settle(await claim(), [shown(id, 4)])
    expect(await order(id)).toMatchObject({ state: 'canceled', attention: [] })
    expect(await count(ground.database, 'vendor_tasks')).toBe(0)
    expect(await count(ground.database, 'findings')).toBe(0)
  })

  test('completes its order when Feishu shows it as completed, and is dead no more', async () => {
    const id = await withResult(lost)
    expect((await order(id)).attention).toEqual(['delivery_dead'])
    await settle(await claim(), [shown(id, 3)])
    expect(await order(id)).toMatchObject({ state: 'completed', attention: [] })
    expect(await lanes.rows(id)).toMatchObject([{ state: 'delivered', confirmed: true, dead_class: null }])
    expect((await timeline(id)).at(-1)).toBe('found_in_feishu')
  })

  test('is held when Feishu has it and the order is not completed there', async () => {
    const id = await withResult(lost)
    await settle(await claim(), [shown(id, 5, { hasResult: true })])
    expect((await order(id)).state).toBe('reported')
    expect(await lanes.rows(id)).toMatchObject([{ state: 'delivered' }])
  })

  test('is sent again once; when Feishu still lacks it, it is listed and flagged for a person', async () => {
    const id = await withResult(lost)
    await settle(await claim(), [shown(id, 2)])
    expect(await lanes.rows(id)).toMatchObject([{ state: 'pending' }])
    expect((await timeline(id)).slice(-2)).toEqual(['revived', 'missing_in_feishu'])
    await lanes.settle(await lanes.claim(), lost)
    await settle(await claim(), [shown(id, 2)])
    expect(await lanes.rows(id)).toMatchObject([{ state: 'dead' }])
    expect((await order(id)).attention.toSorted()).toEqual(['delivery_dead', 'differs_in_feishu'])
    expect(await count(ground.database, `findings WHERE kind = 'result_not_in_feishu' AND state = 'open'`)).toBe(1)
  })

  test('is not sent again when the vendor took it back: a person has to look', async () => {
    const id = await withResult(lost)
    await lanes.record(id, saying('in_progress', []))
    expect((await settle(await claim(), [shown(id, 2)])).repaired).toBe(0)
    expect((await lanes.rows(id)).map((row) => row.state)).toEqual(['dead'])
    expect(await finding()).toMatchObject({ state: 'open' })
    expect(await lanes.claim()).toEqual([])
  })

  test('is not sent again where somebody dismissed it', async () => {
    const id = await withResult(lost)
    await settle(await claim(), [shown(id, 2)])
    await ground.database.pool.query(`UPDATE findings SET state = 'dismissed', settled_at = NULL`)
    await lanes.settle(await lanes.claim(), lost)
    await settle(await claim(), [shown(id, 2)])
    expect(await lanes.rows(id)).toMatchObject([{ state: 'dead' }])
    expect(await finding()).toMatchObject({ state: 'dismissed' })
  })

  test('reopens the order that it had completed, which is polled again', async () => {
    const id = await withResult(inferred)
    expect((await order(id)).state).toBe('completed')
    await settle(await claim(), [shown(id, 2)])
    expect((await order(id)).state).toBe('reported')
    expect(await count(ground.database, 'poll_schedule WHERE background_check_id = $1', [id])).toBe(1)
    await lanes.settle(await lanes.claim(), delivered)
    expect((await order(id)).state).toBe('completed')
  })

  test('of an erased order is approved with it', async () => {
    const id = await withResult(inferred)
    await ground.database.pool.query(`UPDATE orders SET state = 'reported', data_key = NULL, payload_sealed = NULL`)
    await settle(await claim(), [shown(id, 3)])
    expect((await order(id)).state).toBe('completed')
    expect(await count(ground.database, 'findings')).toBe(0)
  })

  test('of an erased order is neither opened nor sent', async () => {
    const id = await withResult(inferred)
    await ground.database.pool.query('UPDATE orders SET data_key = NULL, payload_sealed = NULL')
    expect(await settle(await claim(), [shown(id, 2)])).toMatchObject({ compared: 1, found: 0, repaired: 0 })
    expect((await lanes.rows(id)).map(({ state }) => state)).toEqual(['delivered'])
  })
})

test('an order that no key opens is not judged by what cannot be read, and stops nobody', async () => {
  const [broken, stopped, sound] = [await lanes.place(), await lanes.place(), await lanes.place()]
  await ground.database.pool.query(`UPDATE orders SET data_key = '\\x0900' WHERE background_check_id = ANY($1)`, [
    [broken, stopped],
  ])
  await settle(await claim(), [shown(broken, 3), shown(stopped, 4), shown(sound, 3)])
  expect((await order(broken)).state).toBe('ordered')
  expect(await count(ground.database, 'findings WHERE background_check_id = $1', [broken])).toBe(0)
  expect((await order(sound)).attention).toEqual(['differs_in_feishu'])
  expect(ground.lines.join('')).toContain('sweep.cannot_open')
})

test('orders of another app or tenant are neither judged nor listed', async () => {
  const id = await lanes.place()
  const sweep = await claim()
  await ground.database.pool.query(`UPDATE orders SET app_id = 'cli_other'`)
  expect(await settle(sweep, [shown(id, 4)])).toMatchObject({ compared: 0, others: 0, found: 0 })
  expect((await order(id)).state).toBe('ordered')
})

test('of orders of other providers, and of those that nobody can tell, nothing is kept', async () => {
  await lanes.place()
  const counts = await settle(await claim(), [
    shown(freshId(), 2, { provider: 'them' }),
    shown(freshId(), 2, { provider: null }),
  ])
  expect(counts).toMatchObject({ orders: 2, others: 2, found: 0 })
  expect(await count(ground.database, 'findings')).toBe(0)
})

describe('a lost check', () => {
  test.each([
    ['whose event may still come', { updatedAt: Date.now() + 3_600_000 }],
    ['that began before anybody here knew of the tenant', { beganAt: -1 }],
    ['that Feishu completed', { status: 3 }],
    ['that the customer stopped', { status: 4 }],
  ])('%s is not listed', async (_what, more) => {
    await lanes.place()
    expect(await settle(await claim(), [shown(freshId(), 2, more)])).toMatchObject({ found: 0 })
  })

  test('is gone when it ends in Feishu, or when Feishu has it no more', async () => {
    await lanes.place()
    const [ended, vanished] = [freshId(), freshId()]
    const sweep = await claim()
    await settle(sweep, [shown(ended, 2), shown(vanished, 2)])
    await settle(sweep, [shown(ended, 4)])
    const { sealer, log, database } = ground
    await settleMissing({ database, sealer, log, keepers: [], quietMs: 0, onSettled: () => undefined }, sweep, [
      vanished,
    ])
    expect(await count(database, `findings WHERE state = 'gone' AND settled_at IS NOT NULL`)).toBe(2)
  })
})

describe('a finding', () => {
  /** A stage that later ones overtook, and that Feishu lacks. */
  async function overtaken(): Promise<{ id: string; theirs: FeishuOrder }> {
    const id = await lanes.place()
    await lanes.record(id, saying('in_progress', [stage('a'), stage('b')]))
    await lanes.settle(await lanes.claim(), inferred)
    await lanes.settle(await lanes.claim(), delivered)
    const [, last] = await lanes.rows(id)
    return { id, theirs: shown(id, 2, { stages: [{ name: 'stage b', time: String(last?.stage_time) }] }) }
  }

  test('that is not seen any more is gone, and the flag with it', async () => {
    const { id, theirs } = await overtaken()
    await settle(await claim(), [theirs])
    expect((await order(id)).attention).toEqual(['differs_in_feishu'])
    const rows = await lanes.rows(id)
    const stages = rows.map(({ stage_time }, index) => ({
      name: ['stage a', 'stage b'][index],
      time: String(stage_time),
    }))
    await settle(await claim(), [{ ...theirs, stages }])
    expect(await finding()).toMatchObject({ kind: 'stage_not_in_feishu', state: 'gone' })
    expect((await order(id)).attention).toEqual([])
  })

  test('that somebody dismissed stays dismissed while it lasts, and ends with the difference', async () => {
    const { id, theirs } = await overtaken()
    await settle(await claim(), [theirs])
    const { id: findingId } = await finding()
    const dismiss = () => ground.database.transaction((sql) => dismissFinding(sql, BigInt(findingId)))
    expect([await dismiss(), await dismiss()]).toEqual(['dismissed', 'not_open'])
    await settle(await claim(), [theirs])
    expect(await finding()).toMatchObject({ state: 'dismissed', settled_at: null })
    expect((await order(id)).attention).toEqual([])
    const { rows } = await ground.database.pool.query(`SELECT stage_id, stage_time FROM deliveries`)
    const stages = rows.map(({ stage_id, stage_time }) => ({ name: `stage ${stage_id}`, time: String(stage_time) }))
    await settle(await claim(), [{ ...theirs, stages }])
    expect(await finding()).toMatchObject({ state: 'dismissed', settled_at: expect.any(Date) })
  })

  test('about what an operator sends again ends when Feishu has it', async () => {
    const { id, theirs } = await overtaken()
    await settle(await claim(), [theirs])
    await ground.database.pool.query(
      `UPDATE deliveries SET state = 'dead', dead_class = 'unconfirmed' WHERE stage_id = 'a'`,
    )
    const [first] = await lanes.rows(id)
    const { database, sealer } = ground
    await database.transaction((sql) => reviveDelivery(sql, sealer, [], String(first?.id)))
    await lanes.settle(await lanes.claim(), delivered)
    const stages = (await lanes.rows(id)).map(({ stage_id, stage_time }) => ({
      name: `stage ${stage_id}`,
      time: String(stage_time),
    }))
    await settle(await claim(), [{ ...theirs, stages }])
    expect(await finding()).toMatchObject({ state: 'gone' })
  })
})
