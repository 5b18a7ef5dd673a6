import { afterEach, expect, test } from 'vitest'
import { Turns } from '../../src/sandbox/support/turns.js'
import {
  customApp,
  eventually,
  type Json,
  placeOrder,
  startFeishu,
  startReceiver,
  stopAll,
  tenantKey,
} from './support.js'

afterEach(stopAll)

async function connected(options: Parameters<typeof startFeishu>[0] = {}) {
  const feishu = await startFeishu(options)
  const receiver = await startReceiver(customApp)
  feishu.setEventUrl(customApp.appId, receiver.url)
  return { feishu, receiver }
}
const inTenant = { appId: customApp.appId, tenantKey }

test('sends account and order events, encrypted, signed, and shaped as the contract says', async () => {
  const { feishu, receiver } = await connected()
  const customFields = [{ key: 'vendor_org_id', value: 'ORG-88231' }]
  const account = feishu.createAccount({ ...inTenant, accountName: 'A', usageList: [1, 2], customFields })
  const acknowledged = await feishu.untilAcknowledged(account.event.eventId)
  expect(acknowledged.attempts).toMatchObject([{ kind: 'first', outcome: 'acknowledged', httpStatus: 200 }])
  const order = feishu.createOrder({
    ...inTenant,
    accountId: account.accountId,
    additionalItemIds: ['x'],
    comment: 'urgent',
  })
  await feishu.untilAcknowledged(order.event.eventId)
  const canceled = feishu.cancelOrder(order.backgroundCheckId, { reason: 'withdrew' })
  await feishu.untilAcknowledged(canceled.eventId)
  expect(receiver.received.every((event) => event.signed)).toBe(true)
  expect(receiver.received[0]?.headers['content-type']).toBe('application/json;charset=utf-8')
  const [first, second, third] = receiver.received.map((event) => event.content)
  expect(first).toEqual({
    schema: '2.0',
    header: {
      event_id: account.event.eventId,
      event_type: 'hire.eco_account.created_v1',
      create_time: expect.stringMatching(/^\d{13}$/) as string,
      token: customApp.verificationToken,
      app_id: customApp.appId,
      tenant_key: tenantKey,
    },
    event: {
      scope: 1,
      account_id: account.accountId,
      account_name: 'A',
      usage_list: [1, 2],
      custom_field_list: customFields,
    },
  })
  expect(second).toMatchObject({
    event: {
      background_check_id: order.backgroundCheckId,
      account_id: account.accountId,
      package_id: 'pkg-std-01',
      additional_item_id_list: ['x'],
      comment: 'urgent',
      candidate_info: { mobile: { code: '86' } },
      client_contact_info: { name: 'Hr Demo' },
      custom_field_list: [],
    },
  })
  expect(third?.event).toEqual({ background_check_id: order.backgroundCheckId, termination_reason: 'withdrew' })
  expect(order.backgroundCheckId).toMatch(/^\d{19}$/)
  expect(Number(order.backgroundCheckId)).toBeGreaterThan(Number.MAX_SAFE_INTEGER)
})

test.each([
  ['another 2xx', { status: 204 }],
  ['a redirect', { status: 302 }],
  ['a failure', { status: 503 }],
  ['no answer in time', undefined],
])('delivers again after %s', async (_, bad) => {
  const { feishu, receiver } = await connected({
    retryDelaysMs: [1, 1],
    ...(bad === undefined && { ackTimeoutMs: 500 }),
  })
  receiver.answer(() => (receiver.received.length < 3 ? bad : { status: 200 }))
  const { event } = feishu.createAccount(inTenant)
  await feishu.untilAcknowledged(event.eventId)
  expect(event.attempts.map(({ kind }) => kind)).toEqual(['first', 'retry', 'retry'])
  expect(event.attempts.at(-1)?.outcome).toBe('acknowledged')
  expect(event.attempts[0]?.outcome).toBe(bad ? 'refused' : 'timeout')
})

test('gives up after the last retry, and delivers by hand what was given up', async () => {
  const { feishu, receiver } = await connected({ retryDelaysMs: [1] })
  receiver.answer(() => ({ status: 500 }))
  const { event } = feishu.createAccount(inTenant)
  await eventually(() => event.givenUp).toBe(true)
  expect(event.attempts).toHaveLength(2)
  await expect(feishu.untilAcknowledged(event.eventId, 20)).rejects.toThrow(/attempts so far: 500, 500/)
  receiver.answer(() => ({ status: 200 }))
  expect(await feishu.redeliver(event.eventId)).toMatchObject({ kind: 'manual', outcome: 'acknowledged' })
  expect(event.acknowledged).toBe(true)
})

test('says when nobody listens, and when there is no event URL', async () => {
  const feishu = await startFeishu()
  const lost = feishu.createAccount(inTenant).event
  await eventually(() => lost.attempts[0]?.outcome).toBe('no_event_url')
  feishu.setEventUrl(customApp.appId, 'http://127.0.0.1:9/events')
  const refused = feishu.createAccount(inTenant).event
  await eventually(() => refused.attempts[0]?.outcome).toBe('unreachable')
  await expect(feishu.redeliver('none')).rejects.toThrow(/no event none/)
})

test.each([true, false])('signs a redelivery afresh: %s', async (resignRedeliveries) => {
  const { feishu, receiver } = await connected({ switches: { resignRedeliveries } })
  const { event } = feishu.createAccount(inTenant)
  await feishu.untilAcknowledged(event.eventId)
  await feishu.redeliver(event.eventId)
  const [first, second] = receiver.received
  expect(second?.raw).toEqual(first?.raw)
  expect(second?.signed).toBe(true)
  const nonces = new Set(receiver.received.map(({ headers }) => headers['x-lark-request-nonce']))
  expect(nonces.size).toBe(resignRedeliveries ? 2 : 1)
})

test('writes timestamps in milliseconds when the switch says so', async () => {
  const { feishu, receiver } = await connected({ switches: { timestampUnit: 'ms' } })
  await feishu.untilAcknowledged(feishu.createAccount(inTenant).event.eventId)
  expect(receiver.received[0]?.headers['x-lark-request-timestamp']).toMatch(/^\d{13}$/)
  expect(receiver.received[0]?.signed).toBe(true)
})

test('repeats an acknowledged event when the switch says so', async () => {
  const { feishu } = await connected({ switches: { repeatAcknowledged: true }, retryDelaysMs: [1] })
  const { event } = feishu.createAccount(inTenant)
  await eventually(() => event.attempts.map(({ kind }) => kind)).toEqual(['first', 'repeat'])
})

test('keeps no more events under way than it is told', async () => {
  const { feishu, receiver } = await connected({ pushesInFlight: 2 })
  receiver.answer(() => undefined)
  const events = Array.from({ length: 5 }, () => feishu.createAccount(inTenant).event)
  await eventually(() => receiver.received.length).toBe(2)
  expect(events.flatMap((event) => event.attempts)).toHaveLength(2)
})

test('gives everyone a turn, in the order in which they came', async () => {
  const turns = new Turns(2)
  const done: number[] = []
  const tasks = [1, 2, 3, 4, 5].map((number) =>
    turns.take(async () => {
      await Promise.resolve()
      done.push(number)
      if (number === 2) throw new Error('two')
    }),
  )
  await Promise.allSettled(tasks)
  expect(done).toEqual([1, 2, 3, 4, 5])
})

test('sends copies at once, holds events back, and sends any event by its type', async () => {
  const { feishu, receiver } = await connected()
  const held = feishu.createAccount({ ...inTenant, hold: true }).event
  expect(held.attempts).toEqual([])
  const copies = await feishu.sendCopies(held.eventId, 5)
  expect(copies.map(({ outcome }) => outcome)).toEqual(Array(5).fill('acknowledged'))
  const raw = feishu.sendEvent({
    ...inTenant,
    eventType: 'hire.eco_exam.created_v1',
    event: { exam_id: '1' },
    eventId: 'e-1',
  })
  await feishu.untilAcknowledged(raw.eventId)
  expect(receiver.received.at(-1)?.content).toMatchObject({
    header: { event_id: 'e-1', event_type: 'hire.eco_exam.created_v1' },
  })
})

test('makes the canceled event of an order that was canceled before, and one that comes before created', async () => {
  const { feishu, receiver } = await connected()
  const account = feishu.createAccount({ ...inTenant, hold: true })
  const order = feishu.createOrder({ ...inTenant, accountId: account.accountId, hold: true })
  const canceled = feishu.cancelOrder(order.backgroundCheckId)
  await feishu.untilAcknowledged(canceled.eventId)
  await feishu.redeliver(order.event.eventId)
  const types = receiver.received.map((event) => (event.content.header as Json).event_type)
  expect(types).toEqual(['hire.eco_background_check.canceled_v1', 'hire.eco_background_check.created_v1'])
  const again = feishu.cancelOrder(order.backgroundCheckId, { evenIfClosed: true })
  expect(again.eventId).not.toBe(canceled.eventId)
})

test('verifies the request URL: encrypted, unsigned, and the challenge has to come back', async () => {
  const { feishu, receiver } = await connected()
  receiver.answer(({ content }) => ({ status: 200, body: JSON.stringify({ challenge: content.challenge }) }))
  expect(await feishu.verifyUrl(customApp.appId, { challenge: 'c-1' })).toMatchObject({ ok: true, httpStatus: 200 })
  expect(receiver.received[0]?.content).toEqual({
    challenge: 'c-1',
    token: customApp.verificationToken,
    type: 'url_verification',
  })
  expect(receiver.received[0]?.headers['x-lark-signature']).toBeUndefined()
  receiver.answer(() => ({ status: 200, body: '{}' }))
  expect(await feishu.verifyUrl(customApp.appId)).toMatchObject({
    ok: false,
    reason: expect.stringMatching(/expected 200/) as string,
  })
})

test('keeps the same id apart in two tenants', async () => {
  const feishu = await startFeishu()
  const { storeApp } = await import('./support.js')
  const id = placeOrder(feishu, { backgroundCheckId: '7400000000000000202' })
  const account = feishu.createAccount({ appId: storeApp.appId, tenantKey: 'tk_two' })
  feishu.createOrder({
    appId: storeApp.appId,
    tenantKey: 'tk_two',
    accountId: account.accountId,
    backgroundCheckId: id,
  })
  feishu.cancelOrder(id, { tenantKey: 'tk_two' })
  expect([feishu.order(id, tenantKey).status, feishu.order(id, 'tk_two').status]).toEqual(['arranged', 'terminated'])
  expect(() => placeOrder(feishu, { backgroundCheckId: id })).toThrow(/already/)
  expect(() => feishu.createAccount({ appId: customApp.appId, tenantKey: 'tk_two' })).toThrow(/not installed/)
})
