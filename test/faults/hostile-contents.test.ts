import { afterEach, expect, it } from 'vitest'
import { encrypt, signatureHeaders } from '../../src/sandbox/feishu/seal.js'
import { until } from '../../src/sandbox/index.js'
import { customApp, eventually, startWorld, type World } from '../story/world.js'
import { canceled, checkBody, created, eventOf } from '../support/pushes.js'
import { freshId } from '../support/room.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

/** A push of Feishu's with a text of ours in it: what a customer typed is signed, too. */
async function push(running: World, text: string): Promise<number> {
  const body = JSON.stringify({ encrypt: encrypt(customApp.encryptKey, text) })
  const headers = signatureHeaders(customApp.encryptKey, Buffer.from(body))
  return (await fetch(`${running.url}/webhooks/feishu/${customApp.appId}/events`, { method: 'POST', headers, body }))
    .status
}

const event = (type: string, content: Record<string, unknown>, header = {}) =>
  JSON.stringify(eventOf(customApp, type, content, { tenant_key: 'tk_custom', ...header }))

const deep = '['.repeat(100_000) + ']'.repeat(100_000)

/** Each with what becomes of it. */
function hostile(): Array<[state: string, text: string]> {
  const id = freshId()
  const withValue = (value: string) =>
    event(created, checkBody(id, { custom_field_list: [{ key: 'k', value: '?' }] })).replace('"?"', value)
  return [
    ['failed', withValue(deep)],
    ['failed', withValue(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`)],
    ['done', event(created, checkBody(freshId(), { comment: 'x'.repeat(500_000) }))],
    ['done', event(created, checkBody(freshId(), { comment: '\ud800\u0000\u202e' }))],
    ['failed', event(created, checkBody('__proto__', { account_id: 'constructor', package_id: '\0' }))],
    ['failed', event(created, checkBody('../../..', { account_id: '%2e%2e', package_id: "' OR 1=1 --" }))],
    [
      'failed',
      event(created, checkBody(freshId(), { candidate_info: [], client_contact_info: 'x', custom_field_list: {} })),
    ],
    ['failed', event(canceled, { background_check_id: { toString: 'x' }, termination_reason: ['x'] })],
    ['ignored', event('__proto__', {})],
    [
      'failed',
      event('hire.eco_account.created_v1', {
        account_id: 'x'.repeat(300),
        account_name: 7,
        usage_list: 'x',
        scope: '1',
      }),
    ],
    ['failed', event(created, {}, { tenant_key: '\0', create_time: deep, event_id: '\ud800' })],
    ['failed', JSON.stringify({ ...eventOf(customApp, created, null), event: null })],
  ]
}

it('what a customer typed is acknowledged whatever it is, and the orders behind it are placed', async () => {
  world = await startWorld()
  const running = world
  const all = hostile()
  const states = [...all.map(([state]) => state), 'done']
  for (const [, text] of all) expect([text.slice(0, 300), await push(running, text)]).toEqual([text.slice(0, 300), 200])
  const proto = freshId()
  const fields = '[{"key":"__proto__","value":"a"},{"key":"constructor","value":"b"}]'
  const text = event(created, checkBody(proto, { custom_field_list: '?' })).replace('"?"', fields)
  expect(await push(running, text)).toBe(200)
  await until('the order at the vendor', () => running.vendor.orderCount(proto) === 1, { timeoutMs: 60_000 })
  await eventually(() => statesOf(running)).toEqual(states)
  const [call] = running.vendor.calls({ backgroundCheckId: proto, operation: 'orders.create' })
  expect(JSON.stringify(call?.body)).toContain('"custom_fields":{"__proto__":"a","constructor":"b"}')
  const failures = running.log.filter((line) => line.includes('"inbox.effect_failed"'))
  expect(failures).toEqual([])
})

/** In the order in which they came, without the app ticket. */
async function statesOf(running: World): Promise<unknown[]> {
  const { body } = await running.api('GET', '/v1/events?limit=200')
  const items = body['items'] as Array<Record<string, unknown>>
  return items
    .filter(({ type }) => type !== 'app_ticket')
    .map(({ state }) => state)
    .toReversed()
}
