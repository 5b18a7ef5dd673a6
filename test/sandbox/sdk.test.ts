import { AppType, type Cache, Client, LoggerLevel, withTenantKey } from '@larksuiteoapi/node-sdk'
import { afterEach, expect, test } from 'vitest'
import type { SandboxFeishu } from '../../src/sandbox/index.js'
import { customApp, eventually, type Json, placeOrder, startFeishu, stopAll, storeApp, tenantKey } from './support.js'

afterEach(stopAll)

const quiet = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {}, trace: () => {} }

/** A cache of its own: the default one is global to the process. */
function newCache(): Cache {
  const values = new Map<string, unknown>()
  return {
    get: (key) => Promise.resolve(values.get(String(key))),
    set: (key, value) => {
      values.set(String(key), value)
      return Promise.resolve(true)
    },
  }
}

function clientFor(feishu: SandboxFeishu, app: typeof customApp, cache = newCache()) {
  const { appId, appSecret } = app
  const appType = app.appType === 'store' ? AppType.ISV : AppType.SelfBuild
  return new Client({
    appId,
    appSecret,
    appType,
    domain: feishu.url,
    cache,
    logger: quiet,
    loggerLevel: LoggerLevel.error,
  })
}

test('a custom app of the official SDK does everything that a vendor does', async () => {
  const feishu = await startFeishu()
  const { hire } = clientFor(feishu, customApp)
  const id = placeOrder(feishu)
  const { accountId: account_id } = feishu.order(id)
  const { v1 } = hire
  const time = '1767315600000'
  const report_file_list = [{ report_name: 'a.pdf', report_url: 'https://files.example.com/a.pdf', report_url_type: 1 }]
  const stage = {
    background_check_id: id,
    stage_id: 'st-1',
    stage_name: '身份核验',
    stage_time: time,
    result: '绿灯',
    report_file_list,
  }
  const field = { type: 'text' as const, key: 'degree', name: { zh_cn: '学历' }, is_required: true }
  const accountField = { key: 'org', name: { zh_cn: '机构' }, is_required: true }
  const fields = { account_id, custom_field_list: [field] }
  const packages = {
    account_id,
    package_list: [{ id: 'p', name: 'P' }],
    additional_item_list: [{ id: 'x', name: 'X' }],
  }
  const applicationId = '7400000000000000401'
  feishu.addApplication({ tenantKey, applicationId })

  const answers = [
    await v1.ecoBackgroundCheckPackage.create({ data: packages }),
    await v1.ecoBackgroundCheckPackage.batchUpdate({ data: packages }),
    await v1.ecoBackgroundCheckPackage.batchDelete({ data: { account_id, additional_item_id_list: ['x'] } }),
    await v1.ecoBackgroundCheckCustomField.create({ data: fields }),
    await v1.ecoBackgroundCheckCustomField.batchUpdate({ data: fields }),
    await v1.ecoBackgroundCheckCustomField.batchDelete({ data: { account_id } }),
    await v1.ecoAccountCustomField.create({
      data: { scope: 1, custom_field_list: [accountField, { ...accountField, key: 'unit' }] },
    }),
    await v1.ecoAccountCustomField.batchUpdate({ data: { scope: 1, custom_field_list: [accountField] } }),
    await v1.ecoAccountCustomField.batchDelete({ data: { scope: 1, custom_field_key_list: ['unit'] } }),
    await v1.ecoBackgroundCheck.updateProgress({ data: stage }),
    await v1.ecoBackgroundCheck.updateResult({ data: { background_check_id: id, result: '绿灯', result_time: time } }),
    await v1.backgroundCheckOrder.list({ params: { page_size: 20 } }),
    await v1.backgroundCheckOrder.batchQuery({ data: { background_check_order_id_list: [id] } }),
  ]
  expect(answers.map((answer) => answer.code)).toEqual(answers.map(() => 0))
  expect(answers.at(-1)?.data).toMatchObject({ items: [{ order_id: id, order_status: 3 }] })

  const agreement = await v1.tripartiteAgreement.create({
    data: { application_id: applicationId, state: 1, create_time: time },
  })
  const path = { tripartite_agreement_id: String(agreement.data?.id) }
  expect(await v1.tripartiteAgreement.update({ path, data: { state: 3, modify_time: time } })).toMatchObject({
    code: 0,
  })
  expect(await v1.tripartiteAgreement.list({ params: { application_id: applicationId } })).toMatchObject({
    data: { items: [{ state: 3 }] },
  })
  expect(await v1.tripartiteAgreement.delete({ path })).toMatchObject({ code: 0 })
})

test('a store app of the official SDK works once it has its ticket', async () => {
  const feishu = await startFeishu()
  const cache = newCache()
  const { v1 } = clientFor(feishu, storeApp, cache).hire
  await feishu.untilCalls({ api: 'auth.app_ticket.resend' })
  await eventually(() => feishu.events().length).toBe(1)
  const pushed = feishu.events()[0]?.content as { event: Json }
  await cache.set(Symbol('app-ticket'), pushed.event.app_ticket)
  const account = feishu.createAccount({ appId: storeApp.appId, tenantKey: 'tk_two' })
  const order = { appId: storeApp.appId, tenantKey: 'tk_two', accountId: account.accountId }
  const { backgroundCheckId } = feishu.createOrder(order)
  const cancel = { data: { background_check_id: backgroundCheckId } }
  expect(await v1.ecoBackgroundCheck.cancel(cancel, withTenantKey('tk_two'))).toMatchObject({ code: 0 })
  expect(feishu.order(backgroundCheckId).status).toBe('terminated')
  await expect(v1.ecoBackgroundCheck.cancel(cancel, withTenantKey(tenantKey))).rejects.toMatchObject({
    response: { status: 400, data: { code: 1002862 } },
  })
})

test('the official SDK shows refusals, limits and lost connections', async () => {
  const feishu = await startFeishu({ rateLimits: [{ limit: 2, windowMs: 60_000 }] })
  const { v1 } = clientFor(feishu, customApp).hire
  const cancel = () => v1.ecoBackgroundCheck.cancel({ data: { background_check_id: '7400000000000009999' } })
  await expect(cancel()).rejects.toMatchObject({
    response: { status: 400, data: { code: 1002862, error: { log_id: expect.any(String) as string } } },
  })
  feishu.addFault({ action: { kind: 'reset' } })
  await expect(cancel()).rejects.toMatchObject({ code: 'ECONNRESET' })
  await expect(cancel()).rejects.toMatchObject({
    response: { status: 429, data: { code: 99991400 }, headers: { 'x-ogw-ratelimit-limit': '2' } },
  })
})
