import type { SandboxFeishu, SandboxVendor } from '../../../src/sandbox/index.js'
import { callApi, customApp } from '../../story/world.js'
import { eventually } from '../../support/eventually.js'
import type { Canaries } from './canary.js'
import type { Interposer, Said } from './interposer.js'

/** Where a story takes place. */
export interface Stage {
  feishu: SandboxFeishu
  vendor: SandboxVendor
  /** What stands between the service and them. */
  toFeishu: Interposer
  toVendor: Interposer
  canaries: Canaries
  url: string
  /** What the service got otherwise than through one of them. */
  told: string[]
}

export const tenant = { appId: customApp.appId, tenantKey: 'tk_custom' }
export const api = ({ url }: Stage, method: string, path: string, body?: unknown) => callApi(url, method, path, body)
const stateOf = async (stage: Stage, id: string) => (await api(stage, 'GET', `/v1/orders/${id}`)).body['state']

/** The customer binds the vendor; what was typed into the form is its own. */
export async function bind({ feishu, vendor, canaries }: Stage): Promise<string> {
  const customFields = [{ key: 'note', value: canaries.make('han', 'field of the account') }]
  const { accountId } = feishu.createAccount({ ...tenant, accountName: 'Acme', customFields })
  await eventually(() => vendor.accounts().length).toBe(1)
  return accountId
}

/** Everything that an order can say about people. */
export function order({ feishu, canaries }: Stage, accountId: string, of: string): string {
  const person = (who: string) => ({
    name: canaries.make('han', `name of the ${who} of ${of}`),
    first_name: canaries.make('ascii', `first name of the ${who} of ${of}`),
    last_name: canaries.make('awkward', `last name of the ${who} of ${of}`),
    email: canaries.make('mail', `mail of the ${who} of ${of}`),
    mobile: { code: '86', number: canaries.make('phone', `phone of the ${who} of ${of}`) },
  })
  const given = {
    candidate: person('candidate'),
    contact: person('contact'),
    comment: canaries.make('awkward', `comment of ${of}`),
    customFields: [{ key: 'idcard', value: canaries.make('ascii', `field of ${of}`) }],
  }
  return feishu.createOrder({ ...tenant, accountId, ...given }).backgroundCheckId
}

export async function placed({ vendor }: Stage, id: string): Promise<void> {
  await eventually(() => vendor.orderCount(id)).toBe(1)
}

/** What the vendor finds out, stage by stage, each once as a link of its own. */
export function findOut({ vendor, canaries }: Stage, id: string, of: string, stageId = 'st-1'): void {
  vendor.addStage(id, {
    id: stageId,
    name: canaries.make('han', `stage of ${of}`),
    en_name: canaries.make('ascii', `English stage of ${of}`),
    result: canaries.make('han', `result of a stage of ${of}`),
    reports: [
      {
        name: `${canaries.make('han', `report of a stage of ${of}`)}.pdf`,
        url: canaries.make('link', `link of a stage of ${of}`),
      },
    ],
  })
}

export function complete({ vendor, canaries }: Stage, id: string, of: string): void {
  vendor.complete(id, {
    result: canaries.make('han', `result of ${of}`),
    reports: [{ name: `${canaries.make('han', `report of ${of}`)}.pdf`, url: canaries.make('link', `link of ${of}`) }],
  })
}

/** A whole order, told once more by the vendor in other words after Feishu had it. */
export async function goodEnd(stage: Stage, accountId: string): Promise<string> {
  const id = order(stage, accountId, 'the good end')
  await placed(stage, id)
  findOut(stage, id, 'the good end')
  await eventually(() => stage.feishu.order(id).stages.length).toBe(1)
  const [told] = stage.vendor.order(id).stages
  if (told === undefined) throw new Error('the vendor has told a stage')
  stage.vendor.setOrder(id, { stages: [{ ...told, name: stage.canaries.make('han', 'stage that was changed') }] })
  await eventually(async () => (await api(stage, 'GET', `/v1/orders/${id}`)).body['attention']).toContain(
    'changed_after_sent',
  )
  expectAccepted(await api(stage, 'POST', `/v1/orders/${id}/stages/st-1/resend`))
  await eventually(() => stage.feishu.order(id).stages.length).toBe(2)
  complete(stage, id, 'the good end')
  await eventually(() => stateOf(stage, id)).toBe('completed')
  return id
}

/** The customer stops one check and an operator another, with reasons. */
export async function stopped(stage: Stage, accountId: string): Promise<string[]> {
  const { feishu, vendor, canaries } = stage
  const byCustomer = order(stage, accountId, 'the customer’s stop')
  const byOperator = order(stage, accountId, 'the operator’s stop')
  await Promise.all([placed(stage, byCustomer), placed(stage, byOperator)])
  feishu.cancelOrder(byCustomer, { reason: canaries.make('han', 'reason of the customer') })
  const stage_name = canaries.make('han', 'last stage of the operator')
  const reason = canaries.make('awkward', 'reason of the operator')
  expectAccepted(await api(stage, 'POST', `/v1/orders/${byOperator}/cancel`, { stage_name, reason }))
  for (const id of [byCustomer, byOperator]) {
    await eventually(() => vendor.order(id).canceledBy).toBe('service')
    await eventually(() => stateOf(stage, id)).toBe('canceled')
  }
  return [byCustomer, byOperator]
}

/** The vendor fails in every way that it can say something in. */
export async function vendorFails(stage: Stage, accountId: string): Promise<string> {
  const { toVendor, canaries } = stage
  const echo = (name: string) =>
    JSON.stringify({ error: canaries.make('han', name), candidate: canaries.make('phone', `${name}, with a phone`) })
  const isPlacing = ({ method, path }: { method: string; path: string }) => method === 'POST' && path === '/orders'
  const said = [
    toVendor.sayOnce(isPlacing, {
      status: 500,
      body: echo('vendor: 500'),
      headers: { 'retry-after': '0', 'x-detail': canaries.make('ascii', 'vendor: header') },
    }),
    toVendor.sayOnce(isPlacing, { status: 201, body: `<html>${canaries.make('han', 'vendor: HTML')}` }),
    toVendor.sayOnce(isPlacing, { status: 422, body: echo('vendor: 422') }),
  ]
  const id = order(stage, accountId, 'the vendor’s failures')
  await eventually(() => said.every((each) => each())).toBe(true)
  await eventually(() => stateOf(stage, id)).toBe('failed')
  expectAccepted(await api(stage, 'POST', `/v1/orders/${id}/retry`))
  await placed(stage, id)
  const isRead = ({ method, path, body }: { method: string; path: string; body: string }) =>
    method === 'GET' && path.startsWith('/orders') && body === ''
  const misfit = {
    order_id: stage.vendor.order(id).orderId,
    status: canaries.make('han', 'vendor: status'),
    stages: [
      { id: 1, name: canaries.make('han', 'vendor: name of a stage'), time: canaries.make('phone', 'vendor: time') },
    ],
    result: canaries.make('han', 'vendor: result that is text'),
    [canaries.make('ascii', 'vendor: name of a field')]: canaries.make('mail', 'vendor: value of a field'),
  }
  const answers: Said[] = [
    {
      status: 200,
      body: `{"orders":[${JSON.stringify(misfit)}],"cursor":"c","has_more":false}`,
    },
    { status: 200, body: JSON.stringify(misfit) },
    {
      status: 200,
      body: `{"orders":[{"name":"${canaries.make('han', 'vendor: JSON cut off')}`,
    },
    { status: 503, body: echo('vendor: 503') },
    {
      status: 302,
      body: '',
      headers: { location: canaries.make('link', 'vendor: redirect') },
    },
  ]
  // One at a time, with honest answers between them, or nobody is asked any more for a while.
  for (const answer of answers) {
    const isSaid = toVendor.sayOnce(isRead, answer)
    await eventually(async () => (await api(stage, 'POST', `/v1/orders/${id}/poll`)) && isSaid()).toBe(true)
  }
  findOut(stage, id, 'the vendor’s failures')
  await eventually(() => stage.feishu.order(id).stages.length).toBe(1)
  return id
}

/** Feishu refuses in words, one delivery dies of it, and is sent again. */
export async function feishuFails(stage: Stage, accountId: string): Promise<string> {
  const { toFeishu, feishu, canaries } = stage
  const id = order(stage, accountId, 'Feishu’s failures')
  await placed(stage, id)
  const isOf = ({ body }: { body: string }) => body.includes(id)
  const refusal = (code: number, name: string) =>
    JSON.stringify({
      code,
      msg: canaries.make('han', name),
      error: {
        log_id: 'x',
        field_violations: [
          { field: canaries.make('ascii', `${name}, field`), value: canaries.make('mail', `${name}, value`) },
        ],
      },
    })
  const dies = toFeishu.sayOnce(isOf, { status: 400, body: refusal(99992402, 'Feishu: 400') })
  findOut(stage, id, 'Feishu’s failures')
  const dead = async () =>
    itemsOf(await api(stage, 'GET', '/v1/deliveries?state=dead')).filter((each) => each['background_check_id'] === id)
  await eventually(async () => (await dead()).length).toBe(1)
  const passing = [
    toFeishu.sayOnce(isOf, { status: 500, body: refusal(1002001, 'Feishu: 500') }),
    toFeishu.sayOnce(isOf, {
      status: 502,
      body: `<html>${canaries.make('han', 'Feishu: HTML')}`,
      headers: { 'content-type': 'text/html' },
    }),
  ]
  expectAccepted(await api(stage, 'POST', `/v1/deliveries/${String((await dead())[0]?.['id'])}/retry`))
  await eventually(() => [dies, ...passing].every((said) => said())).toBe(true)
  await eventually(() => feishu.order(id).stages.length).toBe(1)
  complete(stage, id, 'Feishu’s failures')
  await eventually(() => stateOf(stage, id)).toBe('completed')
  return id
}

export function expectAccepted({ status, body }: { status: number; body: unknown }): void {
  if (status !== 202) throw new Error(`expected 202, got ${status}: ${JSON.stringify(body)}`)
}

export function itemsOf({ body }: { body: Record<string, unknown> }): Array<Record<string, unknown>> {
  return (body['items'] ?? []) as Array<Record<string, unknown>>
}
