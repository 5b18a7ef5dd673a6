import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { wantAgain } from '../../src/flow/orders/again.js'
import { cancelByOperator } from '../../src/flow/orders/cancel-by-operator.js'
import { importOrder } from '../../src/flow/orders/import.js'
import { placeAgain } from '../../src/flow/orders/place-again.js'
import { reviveDelivery } from '../../src/flow/outbox/revive.js'
import { eraseOrder } from '../../src/flow/personal-data/erase.js'
import { canary, candidate, type ErasureRoom, layErasureRoom, who } from '../support/erasure-room.js'
import { dead, delivered, origin } from '../support/lane-room.js'
import { count, freshId, type Ground } from '../support/room.js'
import { report, saying, stage } from '../support/vendor-words.js'

let ground: Ground
let room: ErasureRoom['room']
let query: ErasureRoom['query']
let empty: ErasureRoom['empty']

beforeAll(async () => {
  ;({ ground, room, query, empty } = await layErasureRoom())
})

afterAll(() => ground.stop())

beforeEach(() => empty())

const canaryStage = (id: string) =>
  stage(id, {
    name: 'canary-stage',
    result: 'canary-result',
    reports: [report('canary.pdf', 'https://files.example.com/canary')],
  })
const setState = (id: string, state: string) =>
  query('UPDATE orders SET state = $2 WHERE background_check_id = $1', [id, state])

/** An order that an operator stops, with something of a person in every place that can hold it. */
async function layEverything(): Promise<string> {
  const id = await room.place()
  await room.record(id, saying('in_progress', [canaryStage('a')]))
  await room.settle(await room.claim(), dead)
  await room.record(id, saying('completed', [canaryStage('a'), canaryStage('b')], 'canary-outcome'))
  await room.settle(await room.claim(), delivered)
  await room.record(id, saying('in_progress', [canaryStage('a'), canaryStage('b')]))
  const words = { stageName: 'canary-word', reason: 'canary-reason' }
  await ground.database.transaction((sql) => cancelByOperator(sql, ground.sealer, id, words))
  await query(`UPDATE vendor_tasks SET last_error = 'canary-answer'`)
  await query(`UPDATE orders SET failure = '{"message":"canary-failure"}'`)
  const misfit = { background_check_id: id, candidate_info: 'canary-misfit' }
  await room.take(`misfit-${id}`, 'hire.eco_background_check.created_v1', misfit)
  await room.take(`ignored-${id}`, 'hire.eco_background_check.other_v1', { ...misfit, note: 'canary-ignored' })
  await query(
    `INSERT INTO findings (kind, app_id, tenant_key, background_check_id) VALUES ('missing_in_feishu', $1, $2, $3)`,
    [origin.appId, origin.tenantKey, id],
  )
  return id
}

describe('erasure', () => {
  test('leaves nothing of the person in any column of any table, whoever has the keys', async () => {
    const id = await layEverything()
    const before = await room.everything()
    for (const word of ['name', 'contact', 'school', 'comment', 'stage', 'result', 'outcome', 'word', 'reason']) {
      expect(before).toContain(`canary-${word}`)
    }
    for (const word of ['answer', 'failure', 'misfit', 'ignored']) expect(before).toContain(`canary-${word}`)
    expect(await count(ground.database, 'order_contacts')).toBe(2)
    expect(await room.erase(id)).toEqual({ kind: 'erased', again: false })
    const after = await room.everything()
    expect(after).not.toContain(canary)
    expect(after).not.toContain(candidate.mobile.number)
    expect(await count(ground.database, 'order_contacts')).toBe(0)
    expect(await count(ground.database, 'events WHERE payload_sealed IS NOT NULL')).toBe(0)
    expect(await query('SELECT state, settled_at IS NOT NULL AS settled FROM findings')).toEqual([
      { state: 'gone', settled: true },
    ])
    expect(await room.order(id)).toMatchObject({ data_key: null, failure: null, attention: [] })
  })

  test('of somebody else touches nothing of this one', async () => {
    const [id, other] = [await layEverything(), await room.place()]
    await room.erase(other)
    expect(await room.everything()).toContain('canary-name')
    expect(await count(ground.database, 'order_contacts WHERE background_check_id = $1', [id])).toBe(2)
    expect(await count(ground.database, 'events WHERE payload_sealed IS NOT NULL')).toBe(2)
    expect(await room.rowsAbout('vendor_tasks', id)).toBe(1)
  })

  test.each(['received', 'ordered', 'in_progress', 'reported', 'failed'])(
    'of an order that is %s changes nothing without force, and is noted',
    async (state) => {
      const id = await room.receive()
      await setState(id, state)
      const before = await query('SELECT * FROM orders')
      expect(await room.erase(id, false)).toEqual({ kind: 'open', state })
      expect(await query('SELECT * FROM orders')).toEqual(before)
      expect(await count(ground.database, 'vendor_tasks')).toBe(1)
      expect(await query('SELECT actor, via, action, subject, outcome FROM audit')).toEqual([
        { actor: 'tester', via: 'api', action: 'orders.erase', subject: `order:${id}`, outcome: 'refused' },
      ])
    },
  )

  test.each(['completed', 'canceled'])('of an order that is %s needs no force, and leaves it so', async (state) => {
    const id = await room.receive()
    await setState(id, state)
    expect(await room.erase(id, false)).toMatchObject({ kind: 'erased' })
    expect(await room.order(id)).toMatchObject({ state, erased_at: expect.any(Date), payload_sealed: null })
    expect((await room.timeline(id)).at(-1)).toEqual({
      kind: 'erased',
      detail: { by: 'api', was: state, ended_here: false },
    })
  })

  test('with force ends an open order here: nothing of it waits, is polled or can be sent', async () => {
    const id = await room.place()
    await room.record(id, saying('in_progress', [stage('a'), stage('b')]))
    await room.erase(id)
    expect((await room.rows(id)).map((row) => [row.state, row.due_at, row.body_sealed])).toEqual([
      ['superseded', null, null],
      ['superseded', null, null],
    ])
    expect(await room.order(id)).toMatchObject({ state: 'canceled' })
    expect(await room.rowsAbout('poll_schedule', id)).toBe(0)
    expect(await query('SELECT closed_by FROM lanes')).toEqual([{ closed_by: 'erasure' }])
    expect(await room.claim()).toEqual([])
    const detail = { by: 'api', was: 'in_progress', ended_here: true }
    expect((await room.timeline(id)).at(-1)).toEqual({ kind: 'erased', detail })
    expect(await query('SELECT outcome, before, after FROM audit')).toEqual([
      {
        outcome: 'done',
        before: { state: 'in_progress', erased: false },
        after: { state: 'canceled', erased: true },
      },
    ])
  })

  test('has nothing new to do the second time, also when both come at once', async () => {
    const id = await room.receive()
    const other = ground.another()
    const both = await Promise.all([room.erase(id), room.erase(id, true, other)])
    expect(both.map((each) => 'again' in each && each.again).toSorted()).toEqual([false, true])
    const { erased_at, updated_at } = await room.order(id)
    expect(await room.erase(id, false)).toEqual({ kind: 'erased', again: true })
    expect(await room.order(id)).toMatchObject({ erased_at, updated_at })
    expect((await room.timeline(id)).filter(({ kind }) => kind === 'erased')).toHaveLength(1)
    expect(await count(ground.database, `audit WHERE outcome = 'done'`)).toBe(3)
  })

  test('of an id that nobody knows does nothing, and makes no lane', async () => {
    expect(await room.erase(freshId())).toEqual({ kind: 'unknown' })
    for (const table of ['lanes', 'orders', 'audit']) expect(await count(ground.database, table)).toBe(0)
  })

  test('reaches a check of which only an event is kept, and which is then never taken up', async () => {
    const id = freshId()
    const type = 'hire.eco_background_check.created_v1'
    await room.take('misfit', type, { background_check_id: id, candidate_info: 'canary-misfit' })
    expect(await room.everything()).toContain('canary-misfit')
    expect(await room.erase(id, false)).toEqual({ kind: 'erased', again: false })
    await room.take('fit', type, { background_check_id: id, candidate_info: { name: 'canary-name' } })
    expect(await room.everything()).not.toContain(canary)
    expect(await room.order(id)).toMatchObject({ state: 'canceled', data_key: null })
  })

  test('is all or nothing', async () => {
    const id = await layEverything()
    const failing = ground.database.transaction(async (sql) => {
      await eraseOrder(sql, id, { force: true, who })
      throw new Error('the disk is full')
    })
    await expect(failing).rejects.toThrow('the disk is full')
    expect(await room.everything()).toContain('canary-name')
    expect((await room.order(id)).erased_at).toBeNull()
  })

  test('has a cancel that is owed go on to the vendor, without the words of whoever stopped it', async () => {
    const id = await room.place()
    await room.cancel(id)
    expect(await query('SELECT reason_sealed IS NULL AS silent FROM vendor_tasks')).toEqual([{ silent: false }])
    await room.erase(id, false)
    expect(await query('SELECT action, reason_sealed FROM vendor_tasks')).toEqual([
      { action: 'cancel', reason_sealed: null },
    ])
  })
})

describe('what was erased stays erased', () => {
  const created = 'hire.eco_background_check.created_v1'
  const content = (id: string) => ({
    background_check_id: id,
    candidate_info: { name: 'canary-name', email: 'canary@example.com' },
    comment: 'canary-comment',
  })

  test.each([
    ['a created event with another event id', created, {}, origin.tenantKey],
    [
      'a canceled event',
      'hire.eco_background_check.canceled_v1',
      { termination_reason: 'canary-reason' },
      origin.tenantKey,
    ],
    ['a created event that does not fit', created, { candidate_info: 'canary' }, origin.tenantKey],
    ['a created event of another tenant', created, {}, 'tk_other'],
    ['an event of a type that nobody handles', 'hire.eco_background_check.other_v1', {}, origin.tenantKey],
  ])('through %s', async (_what, type, more, tenantKey) => {
    for (const state of ['canceled', 'completed']) {
      const id = await room.receive()
      await setState(id, state)
      await room.erase(id)
      await room.take(`late-${id}`, type, { ...content(id), ...more }, tenantKey)
      expect(await room.order(id)).toMatchObject({ data_key: null, payload_sealed: null })
      expect(await room.rowsAbout('vendor_tasks', id)).toBe(0)
    }
    expect(await count(ground.database, 'order_contacts')).toBe(0)
    expect(await room.everything()).not.toContain(canary)
  })

  test.each([
    ['ordered', 'canceled'],
    ['completed', 'completed'],
  ])('through the vendor’s words, by poll or feed, where it was %s', async (was, is) => {
    const id = await room.place()
    await setState(id, was)
    await room.erase(id)
    expect(await room.record(id, saying('completed', [canaryStage('a')]))).toEqual({ buckets: [], ended: true })
    expect(await room.rows(id)).toEqual([])
    expect(await room.order(id)).toMatchObject({ state: is, attention: [] })
  })

  test('through an import, also of one that never got its number', async () => {
    const [numbered, bare] = [await room.place(), await room.receive()]
    for (const id of [numbered, bare]) {
      await room.erase(id)
      const order = { backgroundCheckId: id, vendorOrderId: `V-${id}`, stages: [], canceled: false }
      const imported = ground.database.transaction((sql) => importOrder(sql, ground.sealer, origin, order))
      expect(await imported).toEqual({ kind: 'exists' })
    }
    expect(await count(ground.database, 'vendor_tasks')).toBe(0)
    expect(await count(ground.database, 'poll_schedule')).toBe(0)
  })

  test('through operators: retry, cancel, resend and a dead delivery are refused as erased', async () => {
    const id = await room.place()
    await room.record(id, saying('in_progress', [stage('a')]))
    await room.settle(await room.claim(), dead)
    await room.erase(id)
    const { database, sealer } = ground
    const [delivery] = await room.rows(id)
    expect(delivery?.state).toBe('superseded')
    expect(await database.transaction((sql) => placeAgain(sql, id))).toBe('erased')
    expect(await database.transaction((sql) => cancelByOperator(sql, sealer, id, {}))).toEqual({ kind: 'erased' })
    const again = { backgroundCheckId: id, stageId: 'a' }
    expect(await database.transaction((sql) => wantAgain(sql, sealer, again))).toEqual({ kind: 'erased' })
    const revived = await database.transaction((sql) => reviveDelivery(sql, sealer, [], delivery?.id ?? ''))
    expect(revived).toMatchObject({ kind: 'refused', erased: true })
    expect(await count(database, 'vendor_tasks')).toBe(0)
  })
})
