import { apiKey, customApp } from '../../story/world.js'
import { eventually } from '../../support/eventually.js'
import { api, expectAccepted, itemsOf, type Stage, tenant } from './story.js'

/** A request as somebody makes it who knows no better, or better than he should. */
async function ask({ url, told }: Stage, path: string, asked: RequestInit = {}): Promise<number> {
  told.push(path, JSON.stringify(asked))
  const { status } = await fetch(url + path, asked)
  return status
}

async function expectRefusal(status: Promise<number>): Promise<void> {
  if ((await status) < 400) throw new Error(`it was not refused: ${await status}`)
}

/** Events that are signed and cannot be used. */
export async function badEvents(stage: Stage): Promise<void> {
  const { feishu, canaries, told } = stage
  const misfit = {
    background_check_id: '7400000000000000999',
    account_id: 7,
    candidate_info: person(stage, 'event: misfit'),
    [canaries.make('ascii', 'event: name of a field')]: 1,
  }
  const unknown = { object: person(stage, 'event: unknown type') }
  const kept = [
    feishu.sendEvent({ ...tenant, eventType: 'hire.eco_background_check.created_v1', event: misfit }),
    feishu.sendEvent({ ...tenant, eventType: 'contact.user.created_v3', event: unknown }),
  ]
  for (const { eventId } of kept) await feishu.untilAcknowledged(eventId)
  const inState = async (state: string) => itemsOf(await api(stage, 'GET', `/v1/events?state=${state}`))
  await eventually(async () => (await inState('failed')).length).toBe(1)
  await eventually(async () => (await inState('ignored')).length).toBe(1)
  told.push(...kept.map(({ content }) => JSON.stringify(content)))
  const [failed] = await inState('failed')
  expectAccepted(await api(stage, 'POST', `/v1/events/${String(failed?.['id'])}/retry`))
}

function person({ canaries }: Stage, name: string) {
  return { name: canaries.make('han', name), mobile: canaries.make('phone', `${name}, phone`) }
}

/** Events that nobody signed. */
export async function forgedEvents(stage: Stage): Promise<void> {
  const { canaries } = stage
  const note = person(stage, 'forged: person')
  const body = JSON.stringify({ encrypt: canaries.make('ascii', 'forged: body'), note })
  const header = encodeURIComponent(canaries.make('han', 'forged: header'))
  const signed = ['signature', 'request-nonce', 'request-timestamp'].map((name) => [`x-lark-${name}`, header])
  const headers = { 'content-type': 'application/json', ...Object.fromEntries(signed) }
  const place = encodeURIComponent(canaries.make('han', 'forged: app'))
  const query = `?q=${encodeURIComponent(canaries.make('mail', 'forged: query'))}`
  const paths = [
    `/webhooks/feishu/${customApp.appId}/events${query}`,
    `/webhooks/feishu/${place}/events`,
    `/${place}${query}`,
  ]
  for (const path of paths) await expectRefusal(ask(stage, path, { method: 'POST', headers, body }))
  const noJson = canaries.make('awkward', 'forged: no JSON')
  await expectRefusal(ask(stage, '/webhooks/feishu/events', { method: 'POST', body: noJson }))
}

/** Operators who type what they should not, where they should not. */
export async function operatorsType(stage: Stage, id: string): Promise<void> {
  const { canaries } = stage
  const inPath = encodeURIComponent(canaries.make('han', 'operator: id'))
  const inQuery = encodeURIComponent(canaries.make('mail', 'operator: query'))
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
  const filters = ['account_id', 'tenant_key', 'cursor', 'state'].map((name) => `${name}=${inQuery}`).join('&')
  const paths = [`/v1/orders/${inPath}`, `/v1/accounts/${inPath}`, `/v1/${inPath}?${inQuery}=1`, `/${inPath}`]
  const queries = [
    `/v1/orders?q=${inQuery}`,
    `/v1/orders?${filters}`,
    `/v1/deliveries?api=${inQuery}`,
    `/v1/events?type=${inQuery}`,
  ]
  for (const path of paths) await expectRefusal(ask(stage, path, { headers }))
  for (const path of queries) await ask(stage, path, { headers })
  for (const path of [`/reports/${inPath}`, `/console/${inPath}?q=${inQuery}`]) await ask(stage, path)
  const wrongKey = `Bearer ${canaries.make('ascii', 'operator: wrong key')}`
  await expectRefusal(ask(stage, '/v1/orders', { headers: { authorization: wrongKey } }))
  const once = { ...headers, 'idempotency-key': canaries.make('ascii', 'operator: Idempotency-Key') }
  const body = JSON.stringify({ reason: 7, note: canaries.make('han', 'operator: body') })
  for (const path of [`/v1/orders/${id}/cancel`, '/v1/orders/search']) {
    await expectRefusal(ask(stage, path, { method: 'POST', headers: once, body }))
  }
}

/** Operators who look somebody up, as they may. */
export async function operatorsLook(stage: Stage, id: string): Promise<void> {
  const mobile = stage.canaries.make('phone', 'phone of the candidate of the good end')
  const [found] = itemsOf(await api(stage, 'POST', '/v1/orders/search', { mobile }))
  if (found?.['background_check_id'] !== id) throw new Error('the candidate was not found')
  const shown = JSON.stringify((await api(stage, 'GET', `/v1/orders/${id}/personal-data`)).body)
  if (!shown.includes(mobile)) throw new Error('the export has no phone')
  const { deliveries } = (await api(stage, 'GET', `/v1/orders/${id}`)).body as { deliveries: Array<{ id: string }> }
  const bodies = deliveries.map((each) => api(stage, 'GET', `/v1/deliveries/${each.id}?reveal=true`))
  const revealed = JSON.stringify(await Promise.all(bodies))
  if (!revealed.includes(stage.canaries.make('han', 'stage of the good end'))) throw new Error('nothing was revealed')
}
