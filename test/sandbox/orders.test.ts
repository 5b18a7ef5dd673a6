import { afterEach, describe, expect, test } from 'vitest'
import {
  type Client,
  cancelPath,
  clientOf,
  type Json,
  placeOrder,
  progressPath,
  resultBody,
  resultPath,
  send,
  stageBody,
  startFeishu,
  stopAll,
  storeToken,
  tenantKey,
} from './support.js'

afterEach(stopAll)

const report = { report_name: 'stage.pdf', report_url: 'https://files.example.com/r/1.pdf', report_url_type: 1 }

test('takes stages in order, then the result, and is completed', async () => {
  const feishu = await startFeishu()
  const client = await clientOf(feishu)
  const id = placeOrder(feishu)
  const first = await client('POST', progressPath, stageBody(id, 1, { stage_en_name: 'One' }))
  expect(first.json).toEqual({ code: 0, msg: 'success', data: {} })
  expect(first.headers.get('x-tt-logid')).toMatch(/^\d{17}[0-9A-F]{16}$/)
  await client('POST', progressPath, stageBody(id, 2, { result: '绿灯', report_file_list: [report] }))
  await client('POST', resultPath, resultBody(id, { report_file_list: [report] }))
  const order = feishu.order(id)
  expect(order.status).toBe('completed')
  expect(order.stages.map(({ stageId, result }) => [stageId, result])).toEqual([
    ['st-1', undefined],
    ['st-2', '绿灯'],
  ])
  expect(order.result).toMatchObject({ result: '绿灯', reports: [{ name: 'stage.pdf', urlType: 1 }] })
  expect(feishu.checkPromises()).toEqual([])
})

describe('refuses with 99992402, and says what came', () => {
  test.each<[string, Json, RegExp]>([
    ['a number for an id', { background_check_id: 7400 }, /background_check_id: .*it came as 7400/],
    ['a missing stage_id', { stage_id: undefined }, /stage_id: .*nothing/],
    ['a stage_id that is too long', { stage_id: 'x'.repeat(37) }, /stage_id: expected 1 to 36 ASCII/],
    ['a stage_time in seconds', { stage_time: '1767315600' }, /stage_time: expected milliseconds/],
    ['a stage_time as a number', { stage_time: 1767315600000 }, /stage_time/],
    ['an unknown field', { stage_remark: 'x' }, /stage_remark/],
    ['a result without reports', { result: '绿灯' }, /report_file_list: expected at least one report/],
    ['a result with an empty list', { result: '绿灯', report_file_list: [] }, /report_file_list/],
    [
      'a report without a name',
      { report_file_list: [{ report_url: report.report_url }] },
      /report_file_list\.0\.report_name/,
    ],
    ['a report that is no link', { report_file_list: [{ ...report, report_url: '/r/1.pdf' }] }, /report_url/],
    ['an unknown kind of link', { report_file_list: [{ ...report, report_url_type: 3 }] }, /report_url_type/],
    ['an unknown role', { operator_role: 3 }, /operator_role/],
  ])('%s', async (_, change, complaint) => {
    const feishu = await startFeishu()
    const client = await clientOf(feishu)
    const answer = await client('POST', progressPath, stageBody(placeOrder(feishu), 1, change))
    expect(answer).toMatchObject({ status: 400, code: 99992402 })
    expect(answer.msg).toMatch(complaint)
    expect(feishu.calls({ api: 'update_progress' })[0]).toMatchObject({ applied: false, code: 99992402 })
  })

  test('a body that is not JSON, or not said to be', async () => {
    const feishu = await startFeishu()
    const client = await clientOf(feishu)
    expect(await client('POST', progressPath, 'nonsense')).toMatchObject({ code: 99992402 })
    const authorization = `Bearer ${await (await import('./support.js')).customToken(feishu)}`
    const url = `${feishu.url}/open-apis/hire/v1/${progressPath}`
    const answer = await send(url, 'POST', '{}', { authorization, 'content-type': 'text/plain' })
    expect(answer.msg).toMatch(/Content-Type: expected application\/json; it came as text\/plain/)
  })
})

test('lets stage_time only increase and stage_id occur once', async () => {
  const feishu = await startFeishu()
  const client = await clientOf(feishu)
  const id = placeOrder(feishu)
  await client('POST', progressPath, stageBody(id, 2))
  expect(await client('POST', progressPath, stageBody(id, 2))).toMatchObject({ status: 400, code: 1002001 })
  const late = await client('POST', progressPath, stageBody(id, 1))
  expect(late).toMatchObject({ status: 400, code: 1002001 })
  expect(late.msg).toMatch(/expected later than \d{13}/)
  const same = stageBody(id, 3, { stage_time: stageBody(id, 2).stage_time })
  expect((await client('POST', progressPath, same)).code).toBe(1002001)
  expect(feishu.order(id).stages).toHaveLength(1)
})

async function codes(client: Client, id: string): Promise<number[]> {
  const progress = await client('POST', progressPath, stageBody(id, 9))
  const result = await client('POST', resultPath, resultBody(id))
  const cancel = await client('POST', cancelPath, { background_check_id: id })
  return [progress.code, result.code, cancel.code]
}

test('refuses everything on an order that is closed: 1002858', async () => {
  const feishu = await startFeishu()
  const client = await clientOf(feishu)
  const [completed, canceled, stopped] = [placeOrder(feishu), placeOrder(feishu), placeOrder(feishu)]
  await client('POST', resultPath, resultBody(completed))
  expect((await client('POST', cancelPath, { background_check_id: canceled })).code).toBe(0)
  feishu.cancelOrder(stopped, { reason: 'withdrew' })
  for (const id of [completed, canceled, stopped]) expect(await codes(client, id)).toEqual([1002858, 1002858, 1002858])
  expect(feishu.order(canceled)).toMatchObject({ status: 'terminated', terminatedBy: 'vendor' })
  expect(feishu.order(stopped)).toMatchObject({ terminatedBy: 'customer', terminationReason: 'withdrew' })
  expect(() => feishu.cancelOrder(stopped)).toThrow(/only an open one/)
})

test('knows no order of another tenant, another app or another provider: 1002862', async () => {
  const feishu = await startFeishu()
  const id = placeOrder(feishu)
  const { accountId, appId } = feishu.order(id)
  const foreign = feishu.createOrder({ appId, tenantKey, accountId, otherProvider: true })
  expect(await codes(await clientOf(feishu), '7400000000000009999')).toEqual([1002862, 1002862, 1002862])
  expect(await codes(await clientOf(feishu), foreign.backgroundCheckId)).toEqual([1002862, 1002862, 1002862])
  for (const tenant of [tenantKey, 'tk_two']) {
    const client = await clientOf(feishu, await storeToken(feishu, tenant))
    expect(await codes(client, id)).toEqual([1002862, 1002862, 1002862])
  }
})

test('holds a result for approval: 1002863 with HTTP 500 until it is decided', async () => {
  const feishu = await startFeishu({ switches: { reportApproval: true } })
  const client = await clientOf(feishu)
  const [approved, rejected, withdrawn] = [placeOrder(feishu), placeOrder(feishu), placeOrder(feishu)]
  for (const id of [approved, rejected, withdrawn]) {
    expect((await client('POST', resultPath, resultBody(id))).code).toBe(0)
    expect(feishu.order(id).status).toBe('in_approval')
    expect(await client('POST', resultPath, resultBody(id))).toMatchObject({ status: 500, code: 1002863 })
    expect((await client('POST', progressPath, stageBody(id, 1))).code).toBe(1002858)
  }
  feishu.approve(approved)
  feishu.reject(rejected)
  feishu.withdraw(withdrawn)
  expect([approved, rejected, withdrawn].map((id) => feishu.order(id).status)).toEqual([
    'completed',
    'not_approved',
    'approval_withdrawn',
  ])
  expect((await client('POST', resultPath, resultBody(rejected))).code).toBe(0)
  feishu.setSwitches({ resultAfterRejection: 'refuse_1002858' })
  expect((await client('POST', resultPath, resultBody(withdrawn))).code).toBe(1002858)
  expect(() => feishu.approve(approved)).toThrow(/only a report in_approval/)
})

test('asks the tenant itself whether reports are approved', async () => {
  const feishu = await startFeishu()
  feishu.addTenant({ tenantKey, appIds: [], reportApproval: true })
  const id = placeOrder(feishu)
  await (await clientOf(feishu))('POST', resultPath, resultBody(id))
  expect(feishu.order(id).status).toBe('in_approval')
})

test('answers paths and methods that do not exist', async () => {
  const feishu = await startFeishu()
  const client = await clientOf(feishu)
  expect(await client('POST', 'eco_background_checks/update_everything')).toMatchObject({ status: 404, code: 99991201 })
  expect(await client('GET', progressPath)).toMatchObject({ status: 405, code: 99991301 })
  expect(await client('POST', `${progressPath}/`)).toMatchObject({ status: 404 })
})

test('reads orders of the whole tenant, page by page, other providers too', async () => {
  const feishu = await startFeishu()
  const client = await clientOf(feishu)
  const ids = [placeOrder(feishu), placeOrder(feishu), placeOrder(feishu)]
  const [first = ''] = ids
  const { appId, accountId } = feishu.order(first)
  feishu.createOrder({ appId, tenantKey, accountId, otherProvider: true })
  await client('POST', progressPath, stageBody(first, 1))
  await client('POST', resultPath, resultBody(first, { report_file_list: [report] }))
  const page = await client('GET', 'background_check_orders?page_size=3')
  expect(page.data).toMatchObject({ has_more: true })
  const rest = await client('GET', `background_check_orders?page_size=3&page_token=${String(page.data.page_token)}`)
  expect(rest.data).toMatchObject({
    has_more: false,
    items: [{ provider_info: { provider_id: '6800000000000000002' } }],
  })
  const one = await client('POST', 'background_check_orders/batch_query', { background_check_order_id_list: [first] })
  expect(one.data.items).toMatchObject([
    {
      order_id: first,
      order_status: 3,
      conclusion: '绿灯',
      process_info_list: [{ process: '阶段 1' }],
      feedback_info_list: [{ report_type: 2, result: '绿灯' }],
    },
  ])
  const open = await client('POST', 'background_check_orders/batch_query', { order_status: '2' })
  expect(open.data.items).toHaveLength(3)
})

test('refuses bad questions for orders: 1002002', async () => {
  const feishu = await startFeishu()
  const client = await clientOf(feishu)
  expect(await client('GET', 'background_check_orders?page_size=101')).toMatchObject({ status: 400, code: 1002002 })
  expect(await client('GET', 'background_check_orders?provider=x')).toMatchObject({ code: 1002002 })
  const many = Array.from({ length: 21 }, (_, index) => String(index + 1))
  const asked = await client('POST', 'background_check_orders/batch_query', { background_check_order_id_list: many })
  expect(asked).toMatchObject({ code: 1002002 })
})

test('refuses an app that lacks the scope: 99991672 names it', async () => {
  const { customApp } = await import('./support.js')
  const feishu = await startFeishu()
  feishu.addApp({ ...customApp, scopes: ['hire:exam'] })
  const answer = await (await clientOf(feishu))('POST', progressPath, stageBody(placeOrder(feishu), 1))
  expect(answer).toMatchObject({ code: 99991672 })
  expect(answer.json.error).toMatchObject({ permission_violations: [{ subject: 'hire:background_check_order' }] })
})
