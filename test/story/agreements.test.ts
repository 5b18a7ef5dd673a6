import { afterEach, describe, expect, it } from 'vitest'
import { customApp, eventually, modes, startWorld, storeApp, type World, type WorldOptions } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

const path = '/v1/tripartite-agreements'
const tenant_key = 'tk_custom'
const app_id = customApp.appId
let applications = 0n

async function begin(options: WorldOptions) {
  const running = await startWorld(options)
  world = running
  const { feishu } = running
  const api = (method: string, to: string, body?: unknown) => running.api(method, to, body)
  const post = async (customer = { tenant_key, app_id }, create_time = 1_767_315_600_000) => {
    const application_id = String(7_400_000_000_000_000_400n + ++applications)
    feishu.addApplication({ tenantKey: customer.tenant_key, applicationId: application_id })
    return api('POST', path, { ...customer, application_id, state: 1, create_time })
  }
  const shown = async (answer: { body: Record<string, unknown> }) =>
    (await api('GET', `/v1/deliveries/${String(answer.body['delivery_id'])}`)).body
  const delivered = async (answer: { status: number; body: Record<string, unknown> }) => {
    expect(answer.status).toBe(202)
    await eventually(async () => (await shown(answer))['state']).toBe('delivered')
    return shown(answer)
  }
  /** An agreement that Feishu has. */
  const made = async (customer?: { tenant_key: string; app_id: string }) =>
    String((await delivered(await post(customer)))['agreement_id'])
  const put = (id: string, body: Record<string, unknown>) =>
    api('PUT', `${path}/${id}`, { tenant_key, app_id, ...body })
  const remove = (id: string) => api('DELETE', `${path}/${id}?tenant_key=${tenant_key}&app_id=${app_id}`)
  const callsOf = (of: 'create' | 'update' | 'delete' | 'list') => feishu.calls({ api: `tripartite_agreements.${of}` })
  const lose = (of: 'create' | 'update' | 'delete') =>
    feishu.addFault({ match: { api: `tripartite_agreements.${of}` }, action: { kind: 'reset', apply: true } })
  return { world: running, api, feishu, post, shown, delivered, made, put, remove, callsOf, lose }
}

describe.each(modes)('in %s', (mode) => {
  it('an agreement lives from its create to its delete, although each answer is lost', async () => {
    const { feishu, post, delivered, put, remove, callsOf, lose, api } = await begin({ mode })
    lose('create')
    const created = await delivered(await post())
    const id = String(created['agreement_id'])
    expect(feishu.agreements().map((each) => [each.id, each.state])).toEqual([[id, 1]])
    expect(callsOf('create').map(({ code, applied }) => [code, applied])).toEqual([
      [undefined, true],
      [1_002_080, false],
    ])

    lose('update')
    const changed = await put(id, { state: 3, modify_time: 1_767_402_000_000 })
    expect(await delivered(changed)).toMatchObject({ confirmed: true })
    expect(callsOf('update').map(({ body }) => body)).toEqual([
      { state: 3, modify_time: '1767402000000' },
      { state: 3, modify_time: '1767402000000' },
    ])
    expect((await put(id, { state: 3, modify_time: 1_767_402_000_000 })).body).toEqual({
      ...changed.body,
      unchanged: true,
    })
    expect((await put(id, { state: 4, modify_time: 1_767_401_999_999 })).status).toBe(409)
    expect(await api('GET', `${path}?tenant_key=${tenant_key}&app_id=${app_id}&id=${id}`)).toEqual({
      status: 200,
      body: {
        items: [
          {
            id,
            application_id: expect.any(String),
            state: 3,
            create_time: '1767315600000',
            modify_time: '1767402000000',
          },
        ],
      },
    })

    lose('delete')
    expect(await delivered(await remove(id))).toMatchObject({ confirmed: false })
    expect(callsOf('delete').map(({ code }) => code)).toEqual([undefined, 1_002_075])
    expect(feishu.agreements()).toEqual([])
    expect((await put(id, { state: 5 })).status).toBe(409)
    expect(callsOf('update')).toHaveLength(2)
    expect(feishu.checkPromises()).toEqual([])
  })

  it('changes that come all at once arrive one after the other, and time never goes back', async () => {
    const { feishu, made, put, callsOf, delivered } = await begin({ mode })
    const id = await made()
    const states = [2, 3, 4, 5, 6, 7, 8, 9]
    const answers = await Promise.all(states.map((state) => put(id, { state })))
    for (const answer of answers) await delivered(answer)
    expect(callsOf('update').map(({ code }) => code)).toEqual(states.map(() => 0))
    const times = callsOf('update').map(({ body }) => Number((body as { modify_time: string }).modify_time))
    expect(times).toEqual(times.toSorted((one, other) => one - other))
    expect(feishu.agreements()).toMatchObject([{ id, modifyTime: times.at(-1) }])
    expect(feishu.checkPromises()).toEqual([])
  })

  it('where the switch is off one hold parks that tenant alone, and one release sends everything', async () => {
    const { feishu, api, made, post, put, shown, remove, callsOf } = await begin({ mode })
    const [kept, gone] = [await made(), await made()]
    feishu.addTenant({ tenantKey: tenant_key, appIds: [app_id], tripartiteSwitch: false })
    const waiting = [await post(), await put(kept, { state: 3 }), await remove(gone)]
    await eventually(async () => {
      const all = await Promise.all(waiting.map(shown))
      return all.map((each) => [each['state'], (each['hold'] as Record<string, unknown> | undefined)?.['code']])
    }).toEqual(waiting.map(() => ['pending', 1_002_076]))
    const { body } = await api('GET', '/v1/holds')
    const holds = body['items'] as Array<Record<string, unknown>>
    expect(holds).toMatchObject([
      { scope: 'method', app_id, tenant_key, api: 'tripartite_agreements', code: 1_002_076 },
    ])
    const other = await made({ tenant_key: 'tk_store_a', app_id: storeApp.appId })
    expect(feishu.agreements().map((each) => each.id)).toContain(other)
    const looked = await api('GET', `${path}?tenant_key=${tenant_key}&app_id=${app_id}&id=${kept}`)
    expect(looked.body['items']).toHaveLength(1)

    feishu.addTenant({ tenantKey: tenant_key, appIds: [app_id] })
    expect((await api('POST', `/v1/holds/${String(holds[0]?.['id'])}/release`)).status).toBe(202)
    await eventually(async () => (await Promise.all(waiting.map(shown))).map((each) => each['state'])).toEqual(
      waiting.map(() => 'delivered'),
    )
    expect(feishu.agreements()).toHaveLength(3)
    expect(feishu.agreements().find((each) => each.id === kept)?.state).toBe(3)
    expect(callsOf('update').filter(({ applied }) => applied)).toHaveLength(1)
    expect(feishu.checkPromises()).toEqual([])
  })

  it('what the vendor changes goes to Feishu, once and never backwards', async () => {
    const env = { VENDOR_POLL_MIN_MS: '50' }
    const { world, feishu, made, put, delivered, callsOf } = await begin({ mode, env })
    const { vendor } = world
    const id = await made()
    await delivered(await put(id, { state: 2, modify_time: 1_767_315_600_100 }))
    const change = { id, tenant_key, modify_time: 1_767_402_000_000 }
    vendor.setAgreement({ ...change, state: 4 })
    await eventually(() => feishu.agreements()).toMatchObject([{ id, state: 4, modifyTime: 1_767_402_000_000 }])
    vendor.setAgreement({ ...change, id: '1', tenant_key: 'tk_nobody', state: 4 })
    vendor.setAgreement({ ...change, state: 5, modify_time: 1_767_315_600_200 })
    const feed = { operation: 'tripartite.changes' } as const
    await vendor.untilCalls(feed, vendor.calls(feed).length + 2)
    vendor.forgetCursors()
    await vendor.untilCalls({ ...feed, httpStatus: 410 })
    vendor.setAgreement({ ...change, state: 6, modify_time: 1_767_402_000_001 })
    await eventually(() => feishu.agreements()).toMatchObject([{ id, state: 6, modifyTime: 1_767_402_000_001 }])
    expect(callsOf('update').map(({ body }) => (body as { state: number }).state)).toEqual([2, 4, 6])
    expect(feishu.checkPromises()).toEqual([])
  })
})

it('an agreement that is there is adopted as it is, and its id takes changes', async () => {
  const { feishu, api, post, delivered, put } = await begin({})
  const first = await post()
  const id = String((await delivered(first))['agreement_id'])
  const again = { tenant_key, app_id, application_id: first.body['application_id'], state: 7 }
  const adopted = await delivered(await api('POST', path, again))
  expect(adopted).toMatchObject({ agreement_id: id, confirmed: true, attempts: 1 })
  expect(feishu.agreements()).toMatchObject([{ id, state: 1 }])
  await delivered(await put(id, { state: 7 }))
  expect(feishu.agreements()).toMatchObject([{ id, state: 7 }])
})

it('a create that Feishu refuses is dead and says who can mend it, and is sent again when it is mended', async () => {
  const { feishu, api, shown } = await begin({})
  const application = { tenantKey: tenant_key, applicationId: '7400000000000000777' }
  feishu.addApplication({ ...application, campus: false })
  const answer = await api('POST', path, { tenant_key, app_id, application_id: application.applicationId, state: 1 })
  await eventually(() => shown(answer)).toMatchObject({
    state: 'dead',
    class: 'customer',
    last_error: { code: 1002077 },
  })
  feishu.addApplication(application)
  expect((await api('POST', `/v1/deliveries/${String(answer.body['delivery_id'])}/retry`)).status).toBe(202)
  await eventually(() => shown(answer)).toMatchObject({ state: 'delivered', agreement_id: expect.any(String) })
})

it('a change of an agreement that Feishu does not know is dead, and a look-up finds nothing', async () => {
  const { api, put, shown } = await begin({})
  const answer = await put('7400000000000000999', { state: 3 })
  await eventually(() => shown(answer)).toMatchObject({ state: 'dead', class: 'feishu', last_error: { code: 1002075 } })
  const looked = await api('GET', `${path}?tenant_key=${tenant_key}&app_id=${app_id}&id=7400000000000000999`)
  expect(looked).toEqual({ status: 200, body: { items: [] } })
})

it('a process that only receives looks up by itself, and is refused by name', async () => {
  const { api, feishu } = await begin({ mode: 'redis', processes: ['receiver', 'poller,sync'] })
  const query = `tenant_key=${tenant_key}&app_id=${app_id}&id=7400000000000000999`
  expect(await api('GET', `${path}?${query}`)).toEqual({ status: 200, body: { items: [] } })
  feishu.addFault({
    match: { api: 'tripartite_agreements.list' },
    action: { kind: 'answer', httpStatus: 400, code: 1_002_002 },
  })
  const refused = await api('GET', `${path}?${query}`)
  expect(refused).toMatchObject({ status: 502, body: { type: '/docs/problems#feishu-refused' } })
  expect(refused.body['detail']).toContain('1002002')
})

it('without app_id the app is the one that the tenant is known to have', async () => {
  const { api, feishu, put } = await begin({})
  const unknown = await put('1', { state: 3, app_id: undefined })
  expect(unknown).toMatchObject({ status: 400, body: { errors: [{ path: 'app_id' }] } })
  const { event } = feishu.createAccount({ appId: storeApp.appId, tenantKey: 'tk_store_a' })
  await feishu.untilAcknowledged(event.eventId)
  const body = { tenant_key: 'tk_store_a', state: 3 }
  await eventually(async () => (await api('PUT', `${path}/1`, body)).body).toMatchObject({ app_id: storeApp.appId })
})
