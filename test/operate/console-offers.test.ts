import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderBody } from '../../src/flow/map.js'
import { outcomeRows } from '../../src/flow/to-feishu/outcome-rows.js'
import { said } from '../../src/operate/console/said.js'
import { type Api, startOperators } from './harness.js'
import { addDeliveries, addFailedOrder, addHold, addOrder, setDelivery, setOrder, stage } from './rows.js'
import { askOf, enter, type Visitor } from './visitor.js'

let api: Api
let visitor: Visitor

beforeAll(async () => {
  api = await startOperators({ gauges: true })
  visitor = await enter(api)
})

afterAll(() => api.stop())

async function read(path: string, language: 'zh' | 'en' = 'en'): Promise<string> {
  const cookie = `${visitor.cookie}; bgc_language=${language}`
  return (await askOf(api, 'GET', `/console${path}`, { cookie })).text()
}

function press(path: string) {
  const { cookie, csrf } = visitor
  return askOf(api, 'POST', `/console${path}`, { cookie: `${cookie}; bgc_language=en`, fields: { csrf } })
}

const result = (id: string): OrderBody => ({
  api: 'update_result',
  body: { background_check_id: id, result: 'ok', result_time: '1767315600000', report_file_list: [] },
})
const dead = { state: 'dead', dead_class: 'ours', due_at: null, settled_at: new Date() }
const delivered = { state: 'delivered', due_at: null, settled_at: new Date(), last_call_at: new Date() }

async function addOneDelivery(id: string, state: string, content: OrderBody, columns: object): Promise<string> {
  await addOrder(api, id)
  const [delivery = ''] = await addDeliveries(api, id, [content])
  await setDelivery(api, delivery, { ...columns })
  await setOrder(api, id, { state, vendor_order_id: `V-${id}` })
  return delivery
}

describe('the page of a dead delivery', () => {
  it.each([
    { state: 'in_progress', id: '7400000000000000801', offered: true },
    { state: 'reported', id: '7400000000000000802', offered: true },
    { state: 'failed', id: '7400000000000000803', offered: true },
    { state: 'completed', id: '7400000000000000804', offered: false },
    { state: 'canceled', id: '7400000000000000805', offered: false },
  ])('offers to send it again as the API takes it: $state', async ({ state, id, offered }) => {
    const delivery = await addOneDelivery(id, state, stage(id, 'st-1'), dead)
    const text = await read(`/deliveries/${delivery}`)
    expect(text.includes(`action="/console/deliveries/${delivery}/retry"`)).toBe(offered)
    expect(text.includes('Feishu takes nothing more')).toBe(!offered)
    const zh = await read(`/deliveries/${delivery}`, 'zh')
    expect(zh.includes('飞书不再接收')).toBe(!offered)
    const reply = await api.call('POST', `/v1/deliveries/${delivery}/retry`)
    expect(reply.status).toBe(offered ? 202 : 409)
  })

  it('says that it was erased', async () => {
    const id = '7400000000000000806'
    const delivery = await addOneDelivery(id, 'in_progress', stage(id, 'st-1'), dead)
    await setOrder(api, id, { erased_at: new Date(), data_key: null, state: 'failed' })
    const text = await read(`/deliveries/${delivery}`)
    expect(text).not.toContain(`/deliveries/${delivery}/retry"`)
    expect(text).toContain('nothing of it is left to send')
    expect((await api.call('POST', `/v1/deliveries/${delivery}/retry`)).status).toBe(409)
  })
})

describe('a delivered stage', () => {
  it.each([
    { state: 'in_progress', id: '7400000000000000811', status: 202 },
    { state: 'completed', id: '7400000000000000812', status: 409 },
    { state: 'canceled', id: '7400000000000000813', status: 409 },
  ])('is offered again as the API takes it: $state', async ({ state, id, status }) => {
    const delivery = await addOneDelivery(id, state, stage(id, 'st-1'), delivered)
    const text = await read(`/deliveries/${delivery}`)
    expect(text.includes('/resend-stage"')).toBe(status === 202)
    expect((await api.call('POST', `/v1/orders/${id}/stages/st-1/resend`)).status).toBe(status)
  })
})

describe('the page of an order', () => {
  it.each([
    { state: 'in_progress', of: 'delivered' as const, id: '7400000000000000821', resend: 202, cancel: 202 },
    { state: 'in_progress', of: 'dead' as const, id: '7400000000000000822', resend: 202, cancel: 202 },
    { state: 'in_progress', of: 'pending' as const, id: '7400000000000000823', resend: 409, cancel: 202 },
    { state: 'completed', of: 'delivered' as const, id: '7400000000000000824', resend: 202, cancel: 409 },
    { state: 'canceled', of: 'delivered' as const, id: '7400000000000000825', resend: 409, cancel: 409 },
  ])('offers to resend and to stop as the API takes it: $state, result $of', async (row) => {
    const columns = { delivered, dead, pending: { attempts: 0 } }[row.of]
    await addOneDelivery(row.id, row.state, result(row.id), columns)
    await offersAsTaken(row)
  })

  it.each([
    { state: 'failed', id: '7400000000000000826', resend: 409, cancel: 202 },
    { state: 'in_progress', id: '7400000000000000827', resend: 409, cancel: 202 },
  ])('offers no result that there never was: $state', async (row) => {
    await addFailedOrder(api, row.id)
    await setOrder(api, row.id, { state: row.state })
    await offersAsTaken(row)
  })

  it('offers to place, resend or stop nothing that was erased', async () => {
    const id = '7400000000000000828'
    await addFailedOrder(api, id)
    await setOrder(api, id, { erased_at: new Date(), data_key: null })
    await offersAsTaken({ id, resend: 409, cancel: 409 })
    expect(await read(`/orders/${id}`)).not.toContain(`/orders/${id}/retry"`)
    expect((await api.call('POST', `/v1/orders/${id}/retry`)).status).toBe(409)
  })
})

async function offersAsTaken({ id, resend, cancel }: { id: string; resend: number; cancel: number }): Promise<void> {
  const text = await read(`/orders/${id}`)
  expect(text.includes(`/orders/${id}/resend-result"`), 'resend').toBe(resend === 202)
  expect(text.includes(`/orders/${id}/cancel"`), 'cancel').toBe(cancel === 202)
  expect((await api.call('POST', `/v1/orders/${id}/result/resend`)).status).toBe(resend)
  expect((await api.call('POST', `/v1/orders/${id}/cancel`)).status).toBe(cancel)
}

describe('a page that refuses', () => {
  const backIn = (text: string) => /<p class="back"><a href="([^"]+)">Back<\/a>/.exec(text)?.[1]

  it('leads back to where the button was, or to the list', async () => {
    const refused = async (path: string) => backIn(await (await press(path)).text())
    expect(await refused('/deliveries/999999/retry')).toBe('/console/deliveries/999999')
    expect(await refused('/orders/7400000000000000899/poll')).toBe('/console/orders/7400000000000000899')
    expect(await refused('/holds/999999/release')).toBe('/console/queues')
    expect(backIn(await read('/deliveries/999999'))).toBe('/console/deliveries')
    expect(backIn(await read('/orders?state=lost'))).toBe('/console/orders')
    const { cookie } = visitor
    const stale = await askOf(api, 'POST', '/console/deliveries/1/retry', { cookie, fields: { csrf: 'other' } })
    expect(backIn(await stale.text())).toBe('/console/deliveries/1')
  })
})

describe('the overview', () => {
  const tile = (text: string, label: string) =>
    new RegExp(`<div(?: class="(\\w+)")?><dt>${label}</dt><dd>(?:<a href="([^"]+)">)?([^<]*)`).exec(text)?.slice(1, 4)

  it('shows failed orders as it shows dead deliveries', async () => {
    await addFailedOrder(api, '7400000000000000841')
    const found = await api.parts.database.pool.query(`SELECT count(*)::int AS n FROM orders WHERE state = 'failed'`)
    await expect
      .poll(async () => tile(await read(''), 'Failed orders'), { timeout: 15_000 })
      .toEqual(['bad', '/console/orders?state=failed', String(found.rows[0].n)])
    expect(await read('')).toMatch(/<div class="bad"><dt>failed<\/dt>/)
  })

  it('counts alerts only where a bot gets them', async () => {
    expect(tile(await read(''), 'Alerts standing')).toBeUndefined()
    Object.assign(api.parts.config, { alerts: { url: 'https://bot.example.com' } })
    expect(tile(await read(''), 'Alerts standing')?.[2]).toBe('0')
  })
})

describe('in Chinese', () => {
  it('every reason of the table of outcomes has words, and what is newer stays as it is', () => {
    for (const { reason } of outcomeRows) expect(said(reason, 'zh'), reason).toMatch(/\p{Script=Han}/u)
    expect(said('brand new', 'zh')).toBe('brand new')
    expect(said('the app is not installed', 'en')).toBe('the app is not installed')
  })

  it('a hold reads in the reader’s language', async () => {
    const id = await addHold(api, 'method', 'tk_words', 'update_progress')
    await api.parts.database.pool.query(
      `UPDATE holds SET reason = 'the app lacks a scope that this API needs' WHERE id = $1`,
      [id],
    )
    const zh = await read('/queues', 'zh')
    expect(zh).toContain('应用缺少此接口所需的权限')
    expect(zh).toContain('接口 <small>method</small>')
    expect(zh).not.toContain('lacks a scope')
    expect(await read('/queues')).toContain('the app lacks a scope that this API needs')
  })

  it('why an order failed is one sentence, and what to do another', async () => {
    const id = '7400000000000000851'
    await addFailedOrder(api, id)
    const failure = {
      class: 'vendor',
      message: 'the vendor refused the order: POST /orders answered 422',
      action: 'mend the cause at the vendor, then place the order again or cancel it',
    }
    await setOrder(api, id, { failure })
    expect(textOf(await read(`/orders/${id}`, 'zh'))).toContain(
      '供应商侧 vendor：供应商拒绝下单：POST /orders answered 422。请在供应商处排除原因，然后重新下单或终止。',
    )
    expect(textOf(await read(`/orders/${id}`))).toContain(
      'vendor: the vendor refused the order: POST /orders answered 422. Next: mend the cause at the vendor, then place the order again or cancel it.',
    )
  })
})

const textOf = (page: string) => page.replaceAll(/<[^>]+>/g, '')

describe('a hold that was released', () => {
  it('is said to be parked again where its cause still stands', async () => {
    const id = await addHold(api, 'tenant', 'tk_released')
    const reply = await press(`/holds/${id}/release`)
    expect(reply.headers.get('location')).toBe('/console/queues?done=release')
    expect(await read('/queues?done=release')).toContain('Released; it is parked again if the cause still stands.')
    expect(await read('/queues?done=release', 'zh')).toContain('已恢复；如原因仍在，将再次暂停。')
  })
})
