import { afterEach, describe, expect, it } from 'vitest'
import { type Database, openDatabase } from '../../src/platform/database/database.js'
import { createLogger } from '../../src/platform/logger.js'
import { until } from '../../src/sandbox/index.js'
import { readEverything } from '../support/everything.js'
import { latch } from '../support/latch.js'
import { deliver, live, orderChecks, untilEnded } from './lives.js'
import { type Checked, checked, expectRefused } from './operator.js'
import { customApp, eventually, type Mode, modes, patient, startWorld, type World, type WorldOptions } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

async function begin(mode: Mode, options: WorldOptions = {}): Promise<World> {
  const processes = mode === 'redis' ? ['receiver', 'poller,sync', 'poller,sync'] : undefined
  world = await startWorld({ mode, ...(processes && { processes }), ...options })
  return world
}

const canary = /canary|13800138000/
const person = {
  name: 'canary-name',
  email: 'canary@example.com',
  mobile: { code: '86', number: '13800138000' },
}

/** A check with a person in it, ordered by a signed event. */
function order(running: World): Checked {
  const { feishu } = running
  const tenant = { appId: customApp.appId, tenantKey: 'tk_custom' }
  const { accountId } = feishu.createAccount(tenant)
  const made = feishu.createOrder({ ...tenant, accountId, candidate: person, comment: 'canary-comment' })
  return checked(running, { id: made.backgroundCheckId, life: 'plain' })
}

async function beginStage({ vendor }: World, check: Checked): Promise<void> {
  await check.vendorHasIt()
  vendor.addStage(check.id, { id: 'st-1', name: 'canary-stage' })
  await check.hasStages('st-1')
  await eventually(async () => (await check.deliveries()).map((each) => each['state'])).toEqual(['delivered'])
}

const erase = (running: World, { id }: Checked, query = '?force=true') =>
  running.api('DELETE', `/v1/orders/${id}/personal-data${query}`)

async function onDatabase<T>({ config }: World, work: (database: Database) => Promise<T>): Promise<T> {
  const database = openDatabase({ url: config.databaseUrl ?? '', log: createLogger('silent') })
  try {
    return await work(database)
  } finally {
    await database.stop()
  }
}

/** All tables, as whoever holds the keys of the service can read them. */
const everything = (running: World): Promise<string> =>
  onDatabase(running, (database) => readEverything(database, { k1: Buffer.alloc(32, 7) }))

/** As if the order had changed last so many days ago. */
const age = (running: World, { id }: Checked, days: number) =>
  onDatabase(running, ({ pool }) =>
    pool.query(`UPDATE orders SET updated_at = now() - $2 * interval '1 day' WHERE background_check_id = $1`, [
      id,
      days,
    ]),
  )

/** Everything that could bring the order back: the same event, others about it, and all that the vendor has to say. */
async function provoke(running: World, { id }: Checked): Promise<void> {
  const { feishu, vendor } = running
  const first = feishu.events().find((event) => event.eventType.includes('check.created'))
  await deliver(feishu, first?.eventId ?? '')
  const content = { background_check_id: id, candidate_info: person, comment: 'canary-comment' }
  const said = { appId: customApp.appId, tenantKey: 'tk_custom', hold: true }
  const kind = 'hire.eco_background_check'
  for (const [eventType, event] of [
    [`${kind}.created_v1`, content],
    [`${kind}.created_v1`, { ...content, candidate_info: 'canary-misfit' }],
    [`${kind}.canceled_v1`, { background_check_id: id, termination_reason: 'canary-reason' }],
  ] as const) {
    await deliver(feishu, feishu.sendEvent({ ...said, eventType, event }).eventId)
  }
  if (vendor.orderCount(id) > 0) {
    vendor.addStage(id, { id: 'st-late', name: 'canary-late' })
    vendor.complete(id, { result: 'canary-result', reports: [{ name: 'canary.pdf' }] })
    const { orderId } = vendor.order(id)
    await running.api('POST', `/v1/vendor/orders/${orderId}/changed`)
  }
  for (const path of ['retry', 'cancel', 'result/resend', 'stages/st-1/resend']) {
    expectRefused(await running.api('POST', `/v1/orders/${id}/${path}`), 'erased')
  }
  expectRefused(await running.api('POST', `/v1/orders/${id}/poll`), 'order-not-polled')
}

/** Another check lives from its event to its end: whatever was to come of the erased one has come by then. */
async function liveAnother(running: World): Promise<void> {
  const others = await orderChecks(running, ['plain', 'stages'])
  await Promise.all(others.map((each) => live(running, each)))
  await untilEnded(running, others)
}

async function expectGone(running: World, check: Checked): Promise<void> {
  await eventually(async () => (await running.api('GET', '/v1/events?state=new')).body['items']).toEqual([])
  expect(await check.shown()).toMatchObject({ state: 'canceled', attention: [], next_poll_at: null })
  expect((await check.deliveries()).every((each) => each['request'] === null)).toBe(true)
  const found = await running.api('POST', '/v1/orders/search', { email: person.email })
  expect([found.status, found.body['items']]).toEqual([200, []])
  expect(await everything(running)).not.toMatch(canary)
  expect(running.log.join('')).not.toMatch(canary)
}

describe.each(modes)('a person asks to be erased (%s)', (mode) => {
  it.each([false, true])(
    'in the middle of a check: nothing comes back and nothing is sent (feed: %s)',
    async (changes) => {
      const running = await begin(mode, { vendor: { capabilities: { batch: true, changes, tripartite: false } } })
      const check = order(running)
      await beginStage(running, check)
      expect(await everything(running)).toMatch(canary)
      expectRefused(await erase(running, check, ''), 'order-open')
      expect((await erase(running, check)).status).toBe(202)
      const before = running.feishu.calls({ backgroundCheckId: check.id }).length
      await provoke(running, check)
      await liveAnother(running)
      expect(running.feishu.calls({ backgroundCheckId: check.id })).toHaveLength(before)
      expect(running.vendor.calls({ operation: 'orders.cancel' })).toEqual([])
      await expectGone(running, check)
      expect(running.feishu.checkPromises()).toEqual([])
    },
  )

  it('while a stage is on its way to Feishu: it ends, and is the last', async () => {
    const running = await begin(mode, { env: patient })
    const check = order(running)
    await beginStage(running, check)
    const taking = latch()
    running.feishu.addFault({
      match: { api: 'update_progress', backgroundCheckId: check.id },
      action: { kind: 'held', until: taking.opened },
    })
    running.vendor.addStage(check.id, { id: 'st-2', name: 'canary-stage' })
    const sent = () => running.feishu.calls({ backgroundCheckId: check.id })
    await eventually(() => sent().length).toBe(2)
    expect((await erase(running, check)).status).toBe(202)
    taking.open()
    await provoke(running, check)
    await check.hasStages('st-1', 'st-2')
    await eventually(async () => (await check.deliveries()).map((each) => each['state'])).toEqual([
      'delivered',
      'delivered',
    ])
    await liveAnother(running)
    expect(sent()).toHaveLength(2)
    await expectGone(running, check)
  })

  it('while the vendor is taking the order: it has it, and nobody here asks for it', async () => {
    const running = await begin(mode, { env: patient })
    const taking = latch()
    running.vendor.addFault({ match: { operation: 'orders.create' }, action: { kind: 'held', until: taking.opened } })
    const check = order(running)
    const { vendor } = running
    await eventually(() => vendor.calls({ operation: 'orders.create', backgroundCheckId: check.id }).length).toBe(1)
    expect((await erase(running, check)).status).toBe(202)
    taking.open()
    await until('the order at the vendor', () => vendor.orderCount(check.id) === 1)
    await provoke(running, check)
    await liveAnother(running)
    expect(running.feishu.calls({ backgroundCheckId: check.id })).toEqual([])
    expect(await check.shown()).toMatchObject({ vendor_order_id: null })
    await expectGone(running, check)
  })

  it('by nobody: what did not change for the term is flagged, and then erased by the clock', async () => {
    const running = await begin(mode, {
      overrides: { housekeeping: { firstAfterMs: 10, everyMs: 50 } },
    })
    const check = order(running)
    await check.vendorHasIt()
    await check.is('ordered')
    await age(running, check, 8)
    await eventually(async () => (await check.shown())['attention']).toEqual(['stale'])
    expect(await everything(running)).toMatch(canary)
    await age(running, check, 181)
    await eventually(async () => (await check.kinds()).at(-1)).toBe('erased')
    expect(running.feishu.calls({ backgroundCheckId: check.id })).toEqual([])
    await expectGone(running, check)
    const metrics = await Promise.all(
      running.apps.map(async ({ port }) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
    )
    expect(metrics.join('')).toMatch(/bgc_housekeeping_rows_total\{chore="personal_data_erased"\} 1\n/)
  })
})
