import { afterEach, describe, expect, it, vi } from 'vitest'
import { conformanceChecks, type VendorAdapter } from '../../src/adapter.js'
import { answered, call, order } from '../rooms/vendor-peer.js'
import { type Defect, defects, type Good } from './defects.js'
import { adapterOf, apiKey, complaints, namesOf, resultsOf, startVendor } from './kit.js'

afterEach(() => {
  vi.restoreAllMocks()
})

/** A vendor without any fault, and with two agreements and an order that is done. */
async function startGood(defect?: Defect) {
  const sandbox = await startVendor()
  for (const id of ['301', '302'])
    sandbox.setAgreement({ id, tenant_key: 'tk_a', state: 3, modify_time: 1767315600000 })
  const over = adapterOf(sandbox)
  const { orderId } = answered(await over.placeOrder(order, call))
  sandbox.addStage(orderId, { id: 'a', name: '身份核验', reports: [{ name: 'a.pdf' }] })
  sandbox.addStage(orderId, { id: 'b', name: '学历' })
  sandbox.complete(orderId)
  // The file is fetched by its link, as where an adapter leaves openReport out.
  const good = {
    ...over,
    openReport: undefined,
    cancelOrder: async (...given: Parameters<typeof over.cancelOrder>) => {
      const answer = await over.cancelOrder(...given)
      return answer.kind === 'retry' && answer.status === 404
        ? ({ kind: 'final', status: 410, message: '' } as const)
        : answer
    },
    // The http adapter has every verb; the one that is left out is left out as an adapter would.
  } as unknown as Good
  defect?.sandbox?.(sandbox, orderId)
  return { sandbox, orderId, adapter: { ...good, ...defect?.adapter?.(good, orderId) } }
}

describe('a vendor that', () => {
  it('breaks no rule is complained about by no check', async () => {
    const { adapter, orderId } = await startGood()
    expect(complaints(await resultsOf(adapter, { orderIds: [orderId] }))).toEqual([])
  })

  const cases = defects.map((defect) => [defect.defect, defect.found, defect] as const)
  it.each(cases)('%s is found by %s and no unrelated check', async (_, found, defect) => {
    const { adapter, orderId } = await startGood(defect)
    const results = await resultsOf(adapter, { orderIds: [orderId] })
    const expected = [found, ...(defect.also ?? [])]
    expect(namesOf(results, 'failed', 'warning').toSorted(), complaints(results).join('\n')).toEqual(
      expected.toSorted(),
    )
    expect(complaints(results).join('\n')).toContain(defect.says ?? '')
    for (const text of [apiKey, 'canary', 'example.com', '127.0.0.1', 'Lin Demo', '绿灯']) {
      expect(JSON.stringify(results)).not.toContain(text)
    }
  })
})

it('has a defect for every check that an adapter can fail', () => {
  const onTheWire = ['tls', 'wrong-key', 'json', 'redirects', 'size', 'clock']
  const elsewhere = ['progress', 'clean-up']
  const named = new Set([...defects.map(({ found }) => found), ...onTheWire, 'read-again', ...elsewhere])
  expect(conformanceChecks.map(({ name }) => name).filter((name) => !named.has(name))).toEqual([])
})

it('comes again where the first of several requests is still running', async () => {
  const { adapter } = await startGood()
  const running = new Map<string, number>()
  const placeOrder: VendorAdapter['placeOrder'] = async (order, call) => {
    const before = running.get(order.backgroundCheckId) ?? 0
    running.set(order.backgroundCheckId, before + 1)
    if (before % 2 === 1) return { kind: 'retry', status: 409, message: 'running', ambiguous: true }
    return adapter.placeOrder(order, call)
  }
  expect(complaints(await resultsOf({ ...adapter, placeOrder }))).toEqual([])
})

it('sees that an order cannot be read any more after it was watched', async () => {
  const { adapter, sandbox } = await startGood()
  const pause = async () => {
    const [, watched] = sandbox.orders()
    if (watched?.status === 'pending') sandbox.complete(watched.orderId, { result: null as never })
  }
  const only = ['get-order', 'progress', 'read-again', 'stages-stable']
  const results = await resultsOf(adapter, { waitMs: 60_000, pause, only })
  expect(namesOf(results, 'failed')).toEqual(['progress', 'read-again'])
  expect(results[2]).toMatchObject({ got: expect.stringContaining('result.result: expected string, got null') })
})

it('sees that a stage is lost while it watches', async () => {
  const { adapter, sandbox } = await startGood()
  let looks = 0
  const pause = async () => {
    const [, watched] = sandbox.orders()
    if (watched === undefined) return
    looks += 1
    if (looks === 3) sandbox.setOrder(watched.orderId, { stages: [] })
    else sandbox.addStage(watched.orderId, { name: '学历' })
  }
  const results = await resultsOf(adapter, { waitMs: 60_000, pause, only: ['progress'] })
  expect(results[0]).toMatchObject({ outcome: 'failed', got: '2 stages became 0' })
})

it('warns of a vendor with which nothing happens', async () => {
  const { adapter } = await startGood()
  const results = await resultsOf(adapter, { waitMs: 1, only: ['progress'] })
  expect(results[0]).toMatchObject({ outcome: 'warning', got: '0 stages, pending' })
})

it('opens files by the verb where an adapter has one, and says where it does not lead to a file', async () => {
  const { adapter, orderId, sandbox } = await startGood()
  const over = adapterOf(sandbox)
  const run = (own: VendorAdapter['openReport']) =>
    resultsOf({ ...adapter, ...(own && { openReport: own }) }, { orderIds: [orderId], only: ['report-files'] })
  expect(
    (await run((...given) => over.openReport?.(...given) ?? Promise.reject(new Error('it is there'))))[0],
  ).toMatchObject({ outcome: 'ok' })
  expect((await run(async () => ({ kind: 'gone', message: 'canary' })))[0]).toMatchObject({
    outcome: 'failed',
    got: 'gone at stages[0].reports[0]',
  })
  expect((await run(() => Promise.reject(new Error('canary'))))[0]).toMatchObject({
    outcome: 'failed',
    got: 'it threw Error at stages[0].reports[0]',
  })
})

it('cancels no order that it did not place, also where made-up ids are answered as if they were known', async () => {
  const { adapter, sandbox } = await startGood()
  const canceled: string[] = []
  const results = await resultsOf({
    ...adapter,
    getOrder: async (orderId) => ({ kind: 'ok', value: { orderId, status: 'pending', stages: [] } }),
    cancelOrder: async (orderId, reason, call) => {
      canceled.push(orderId)
      return adapter.cancelOrder(orderId, reason, call)
    },
  })
  expect(results.find(({ check }) => check === 'cancel-order-unknown')).toMatchObject({ outcome: 'skipped' })
  const [, ...placed] = sandbox.orders().map(({ orderId }) => orderId)
  expect([...new Set(canceled)].toSorted()).toEqual(placed.toSorted())
})

it('names orders that could not be canceled', async () => {
  const { adapter, sandbox } = await startGood()
  const cancelOrder = async () => ({ kind: 'retry', message: 'later', ambiguous: false }) as const
  const results = await resultsOf({ ...adapter, cancelOrder }, { only: ['place-order'] })
  const [, left] = sandbox.orders()
  expect(results.at(-1)).toMatchObject({ check: 'clean-up', outcome: 'warning', got: `1 left: ${left?.orderId}` })
})
