import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { bare, type Ended, run } from '../cli/support.js'
import { appsFile, customApp, environment, vendorKey, type World } from './world.js'

export const customer = { appId: customApp.appId, tenantKey: 'tk_custom' }

interface SentStage {
  stage_id: string
  stage_name: string
  stage_time: number
}

/** What the system before this one did for a check: both sides have it, and the service has heard nothing of it. */
export interface Served {
  id: string
  orderId: string
  accountId: string
  /** Its event, which is still to come, or comes again. */
  eventId: string
  /** As a line for `bgc import orders`. */
  line: Record<string, unknown>
}

async function post(url: string, body: object, headers: Record<string, string>): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(body),
  })
  const answer = (await response.json()) as Record<string, unknown>
  if (!response.ok || (answer['code'] ?? 0) !== 0)
    throw new Error(`${url} answered ${response.status} ${JSON.stringify(answer)}`)
  return answer
}

/** A customer of the older system, whom the vendor knows. */
export async function boundBefore({ feishu, vendor }: World): Promise<string> {
  const { accountId } = feishu.createAccount({ ...customer, hold: true })
  const body = {
    account_id: accountId,
    tenant_key: customer.tenantKey,
    account_name: 'x',
    usage_list: [1],
    custom_fields: {},
  }
  await post(`${vendor.url}/accounts`, body, { authorization: `Bearer ${vendorKey}`, 'idempotency-key': accountId })
  return accountId
}

/** Serves a check as the older system did: placed at the vendor, and these stages and perhaps the result sent to Feishu. */
export async function serve(
  { feishu, vendor }: World,
  accountId: string,
  stages: readonly SentStage[],
  result?: { result: string; result_time: number },
): Promise<Served> {
  const { backgroundCheckId: id, event } = feishu.createOrder({ ...customer, accountId, hold: true })
  const place = {
    background_check_id: id,
    account_id: accountId,
    tenant_key: customer.tenantKey,
    package_id: 'pkg',
    additional_item_ids: [],
    candidate: {},
    contact: {},
    custom_fields: {},
    comment: '',
  }
  const headers = { authorization: `Bearer ${vendorKey}`, 'idempotency-key': id }
  const { order_id: orderId } = await post(`${vendor.url}/orders`, place, headers)
  const { appId: app_id, appSecret: app_secret } = customApp
  const path = '/open-apis/auth/v3/tenant_access_token/internal'
  const { tenant_access_token: token } = await post(feishu.url + path, { app_id, app_secret }, {})
  const send = (api: string, body: object) =>
    post(
      `${feishu.url}/open-apis/hire/v1/eco_background_checks/${api}`,
      { background_check_id: id, ...body },
      {
        authorization: `Bearer ${String(token)}`,
      },
    )
  for (const stage of stages) await send('update_progress', { ...stage, stage_time: String(stage.stage_time) })
  if (result) await send('update_result', { ...result, result_time: String(result.result_time) })
  const line = {
    background_check_id: id,
    tenant_key: customer.tenantKey,
    app_id: customer.appId,
    account_id: accountId,
    vendor_order_id: orderId,
    stages_sent: stages,
    ...(result && { result_sent: result }),
  }
  return { id, orderId: String(orderId), accountId, eventId: event.eventId, line }
}

/** `bgc import orders`, in a process of its own beside the running service. */
export async function importOrders({ feishu, vendor, config }: World, served: readonly Served[]): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-moving-in-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const [apps, file] = [join(folder, 'apps.json'), join(folder, 'orders.jsonl')]
  await writeFile(apps, appsFile)
  await writeFile(file, served.map(({ line }) => `${JSON.stringify(line)}\n`).join(''))
  const { databaseUrl = '' } = config
  const env = { ...bare, ...environment(feishu, vendor), FEISHU_APPS_FILE: apps, DATABASE_URL: databaseUrl }
  return run(['import', 'orders', file], env)
}
