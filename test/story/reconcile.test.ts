import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../src/sandbox/index.js'
import { deliver, expectExactCalls, live, orderChecks, untilEnded } from './lives.js'
import { customApp, eventually, modes, startWorld, type World, type WorldOptions } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

const tenant = { appId: customApp.appId, tenantKey: 'tk_custom' }
/** Sweeps run when they are asked for, and take what Feishu says for certain at once. */
const sweeps = { everyMs: 1e9, certainAfterMs: 0, quietMs: 0, restMs: 0, scanMs: 20, enrolMs: 20, retryMs: 20 }

async function startSwept(options: WorldOptions = {}, more: Partial<typeof sweeps> = {}): Promise<World> {
  world = await startWorld({ ...options, overrides: { sweeps: { ...sweeps, ...more } } })
  return world
}

async function shown(running: World, path: string): Promise<Array<Record<string, unknown>>> {
  return (await running.api('GET', path)).body['items'] as Array<Record<string, unknown>>
}

async function sweepOf(running: World): Promise<Record<string, unknown>> {
  return (await shown(running, `/v1/sweeps?tenant_key=${tenant.tenantKey}`))[0] ?? {}
}

/** Compares one tenant now, to the end. */
async function sweep(running: World): Promise<Record<string, unknown>> {
  const before = (await sweepOf(running))['finished_at']
  const asked = await running.api('POST', '/v1/sweeps/run', { tenant_key: tenant.tenantKey })
  expect(asked).toEqual({ status: 202, body: { due: 1 } })
  await eventually(async () => (await sweepOf(running))['finished_at']).not.toEqual(before)
  return sweepOf(running)
}

const findings = (running: World, query = '') => shown(running, `/v1/findings${query}`)
const order = async (running: World, id: string) => (await running.api('GET', `/v1/orders/${id}`)).body
const kindsOf = (body: Record<string, unknown>) =>
  (body['timeline'] as Array<Record<string, unknown>>).map(({ kind }) => kind)

/** An account that is known here, and a check under it that came in order: from then on it is known who we are. */
async function settleIn(running: World): Promise<{ accountId: string; id: string }> {
  const { accountId } = running.feishu.createAccount(tenant)
  await eventually(() => shown(running, '/v1/accounts')).toHaveLength(1)
  return { accountId, id: await check(running, accountId) }
}

/** A check that the vendor has. */
async function check(running: World, accountId: string): Promise<string> {
  const { backgroundCheckId: id } = running.feishu.createOrder({ ...tenant, accountId })
  await until(`${id} at the vendor`, () => running.vendor.orderCount(id) === 1)
  return id
}

describe.each(modes)('in %s mode', (mode) => {
  it('a check whose created event never came is listed, those of other providers leave no trace, and it goes when the event comes after all', async () => {
    const running = await startSwept({ mode })
    const { accountId } = await settleIn(running)
    const lost = running.feishu.createOrder({ ...tenant, accountId, hold: true })
    const other = running.feishu.createOrder({ ...tenant, accountId, otherProvider: true })
    expect((await sweep(running))['counts']).toMatchObject({ orders: 3, compared: 1, others: 1, found: 1, repaired: 0 })
    const listed = await findings(running)
    expect(listed).toMatchObject([
      {
        kind: 'created_event_lost',
        state: 'open',
        background_check_id: lost.backgroundCheckId,
        tenant_key: 'tk_custom',
      },
    ])
    await sweep(running)
    expect(await findings(running)).toMatchObject([{ id: listed[0]?.['id'], state: 'open' }])
    expect(JSON.stringify([listed, running.log])).not.toContain(other.backgroundCheckId)
    expect(JSON.stringify([listed, running.log])).not.toContain('Lin Demo')
    await deliver(running.feishu, lost.event.eventId)
    await eventually(async () => (await findings(running))[0]?.['state']).toBe('gone')
  })

  it('a check that the customer stopped without an event is canceled here and at the vendor, once', async () => {
    const running = await startSwept({ mode })
    const { accountId, id } = await settleIn(running)
    const open = await check(running, accountId)
    running.feishu.cancelOrder(id, { hold: true })
    await sweep(running)
    expect(await order(running, id)).toMatchObject({ state: 'canceled', attention: [] })
    await until('the vendor to know', () => running.vendor.order(id).status === 'canceled')
    expect(kindsOf(await order(running, id)).filter((kind) => String(kind).startsWith('terminated'))).toHaveLength(1)
    expect(await findings(running)).toMatchObject([
      { kind: 'terminated_in_feishu', state: 'repaired', background_check_id: id },
    ])
    expect((await order(running, open))['state']).toBe('ordered')
    await sweep(running)
    expect(await findings(running)).toHaveLength(1)
    expect(running.feishu.calls({ backgroundCheckId: id }).map(({ api }) => api)).toEqual([])
  })

  it('a result that an administrator has to approve is held here until Feishu shows it as completed', async () => {
    const running = await startSwept({ mode, feishu: { switches: { reportApproval: true } } })
    const { id } = await settleIn(running)
    running.vendor.complete(id, { result: '无差异' })
    await until('the result', () => running.feishu.order(id).status === 'in_approval')
    await eventually(async () => (await order(running, id))['state']).toBe('completed')
    await sweep(running)
    expect((await order(running, id))['state']).toBe('reported')
    running.feishu.approve(id)
    await sweep(running)
    expect((await order(running, id))['state']).toBe('completed')
    expect(kindsOf(await order(running, id)).slice(-2)).toEqual(['held_for_approval', 'approved'])
    expect(await findings(running)).toEqual([])
  })
})

/** Where orders cannot be read, a repeat that Feishu refuses counts as the success of what came before (contract §3.11). */
async function startBlind(): Promise<{ running: World; accountId: string; id: string }> {
  const running = await startSwept({ feishu: { switches: { orderReads: false } } })
  return { running, ...(await settleIn(running)) }
}

function deliveriesOf(body: Record<string, unknown>): Array<Record<string, unknown>> {
  return body['deliveries'] as Array<Record<string, unknown>>
}

it('a stage that was only inferred is confirmed when Feishu shows it', async () => {
  const { running, id } = await startBlind()
  running.feishu.addFault({ match: { api: 'update_progress' }, action: { kind: 'reset', apply: true } })
  running.vendor.addStage(id, { id: 'st-1', name: '身份核验' })
  await eventually(async () => deliveriesOf(await order(running, id))).toMatchObject([
    { state: 'delivered', confirmed: false },
  ])
  running.feishu.setSwitches({ orderReads: true })
  await sweep(running)
  expect(deliveriesOf(await order(running, id))).toMatchObject([{ state: 'delivered', confirmed: true }])
  expect(kindsOf(await order(running, id)).at(-1)).toBe('found_in_feishu')
  expect(running.feishu.calls({ api: 'update_progress' })).toHaveLength(2)
  expect(await findings(running)).toEqual([])
})

it('a result that was inferred and is not in Feishu is sent again, once', async () => {
  const { running, id } = await startBlind()
  running.feishu.addFault({ match: { api: 'update_result' }, action: { kind: 'reset', apply: false } })
  const closed = { kind: 'answer', httpStatus: 400, code: 1002858 } as const
  running.feishu.addFault({ match: { api: 'update_result' }, action: closed })
  running.vendor.complete(id, { result: '无差异' })
  await eventually(async () => (await order(running, id))['state']).toBe('completed')
  expect(running.feishu.order(id).status).toBe('arranged')
  running.feishu.setSwitches({ orderReads: true })
  await sweep(running)
  await until('the result in Feishu', () => running.feishu.order(id).status === 'completed')
  await eventually(async () => (await order(running, id))['state']).toBe('completed')
  expect(await findings(running)).toMatchObject([{ kind: 'result_not_in_feishu', state: 'repaired' }])
  await sweep(running)
  expect(running.feishu.calls({ api: 'update_result', applied: true })).toHaveLength(1)
  expect(deliveriesOf(await order(running, id))).toMatchObject([{ state: 'delivered', confirmed: true }])
  expect(running.feishu.checkPromises()).toEqual([])
})

it('a stage that later ones overtook is listed and flagged, not sent again; dismissed, it is not listed anew', async () => {
  const { running, id } = await startBlind()
  running.feishu.addFault({ match: { api: 'update_progress' }, action: { kind: 'reset', apply: false } })
  const refusal = { kind: 'answer', httpStatus: 400, code: 1002858 } as const
  running.feishu.addFault({ match: { api: 'update_progress' }, action: refusal })
  running.vendor.addStage(id, { id: 'st-1', name: '身份核验' })
  running.vendor.addStage(id, { id: 'st-2', name: '学历核实' })
  await eventually(() => running.feishu.order(id).stages.map(({ stageId }) => stageId)).toEqual(['st-2'])
  await eventually(async () => deliveriesOf(await order(running, id)).map(({ state }) => state)).toEqual([
    'delivered',
    'delivered',
  ])
  running.feishu.setSwitches({ orderReads: true })
  await sweep(running)
  const [found] = await findings(running)
  expect(found).toMatchObject({
    kind: 'stage_not_in_feishu',
    state: 'open',
    detail: { stage_id: 'st-1', was: 'inferred' },
  })
  expect((await order(running, id))['attention']).toEqual(['differs_in_feishu'])
  const dismissed = await running.api('POST', `/v1/findings/${String(found?.['id'])}/dismiss`)
  expect(dismissed).toMatchObject({ status: 200, body: { state: 'dismissed' } })
  await sweep(running)
  expect(await findings(running)).toMatchObject([{ id: found?.['id'], state: 'dismissed' }])
  expect((await order(running, id))['attention']).toEqual([])
  expect(running.feishu.order(id).stages).toHaveLength(1)
})

it('a tenant whose orders cannot be read is shown so, with the reason, and is asked anew when an operator says so', async () => {
  const { running, id } = await startBlind()
  running.feishu.cancelOrder(id, { hold: true })
  await running.api('POST', '/v1/sweeps/run', {})
  await eventually(async () => (await sweepOf(running))['permission']).toBe('unreadable')
  expect(await sweepOf(running)).toMatchObject({ reason: expect.stringContaining('99991672'), running: false })
  const metrics = await (await fetch(`${running.url}/metrics`)).text()
  expect(metrics).toMatch(/bgc_sweeps\{permission="unreadable"\} 1/)
  expect((await order(running, id))['state']).toBe('ordered')
  running.feishu.setSwitches({ orderReads: true })
  expect((await sweep(running))['permission']).toBe('readable')
  expect((await order(running, id))['state']).toBe('canceled')
})

it('reads page after page, and what was known before who we are is compared as well', async () => {
  const running = await startSwept()
  const { accountId } = running.feishu.createAccount(tenant)
  await eventually(() => shown(running, '/v1/accounts')).toHaveLength(1)
  const lost = Array.from({ length: 130 }, () => running.feishu.createOrder({ ...tenant, accountId, hold: true }))
  expect((await sweep(running))['counts']).toMatchObject({ pages: 2, orders: 130, others: 130, found: 0 })
  await check(running, accountId)
  expect((await sweep(running))['counts']).toMatchObject({ orders: expect.any(Number), compared: 1, found: 130 })
  const [first, second] = [lost[0], lost[129]].map((each) => each?.backgroundCheckId)
  for (const id of [first, second]) {
    expect(await findings(running, `?background_check_id=${id}&kind=created_event_lost`)).toHaveLength(1)
  }
})

it('two processes that sweep and send at once mend each difference once', async () => {
  const running = await startSwept({ mode: 'redis', processes: ['receiver,poller,sync', 'sync'] })
  const { accountId } = await settleIn(running)
  const ids = await Promise.all(Array.from({ length: 20 }, () => check(running, accountId)))
  for (const id of ids) running.feishu.cancelOrder(id, { hold: true })
  await sweep(running)
  for (const id of ids) await until('the vendor to know', () => running.vendor.order(id).status === 'canceled')
  const repaired = await findings(running, '?state=repaired&limit=200')
  expect(repaired.map((each) => each['background_check_id']).toSorted()).toEqual(ids.toSorted())
  for (const id of ids) {
    const kinds = kindsOf(await order(running, id))
    expect(kinds.filter((kind) => kind === 'canceled_by_customer')).toHaveLength(1)
  }
})

it('sweeps and the work go side by side: nothing is repeated, and every window holds', async () => {
  // What has just changed is not judged, as it is usual.
  const running = await startSwept({ feishu: { switches: { repeatAcknowledged: true } } }, { quietMs: 600_000 })
  const orders = await orderChecks(running, ['plain', 'stages', 'no stages', 'canceled late', 'vendor stops', 'plain'])
  let ended = false
  const sweeping = (async () => {
    while (!ended) {
      await running.api('POST', '/v1/sweeps/run', {})
      await sleep(10)
    }
  })()
  try {
    await Promise.all(orders.map((each) => live(running, each)))
    await untilEnded(running, orders)
    await eventually(() => running.feishu.calls({ api: 'background_check_orders.list' }).length).toBeGreaterThan(5)
  } finally {
    ended = true
    await sweeping
  }
  await eventually(async () => (await shown(running, '/v1/sweeps')).map((each) => each['permission'])).toEqual([
    'readable',
    'readable',
    'readable',
  ])
  expect(await findings(running)).toEqual([])
  expectExactCalls(running, orders)
  expect(running.feishu.checkPromises()).toEqual([])
})
