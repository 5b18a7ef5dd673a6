import { expect, it } from 'vitest'
import { createAsking } from '../../src/flow/reports/asking.js'
import type { SentReport } from '../../src/flow/reports/find.js'
import type { VendorAnswer, VendorCall, VendorOrder } from '../../src/flow/vendor/adapter.js'

const report = { report_name: 'a.pdf', report_url: 'https://v.example/sent', report_url_type: 1 } as const
const sent: SentReport = {
  deliveryId: '1',
  backgroundCheckId: '1',
  vendorOrderId: 'V-1',
  stageId: null,
  namesakes: 0,
  report,
}
const going = new AbortController().signal

/** A vendor that names the report anew each time. */
function namingAnew() {
  let asked = 0
  const getOrder = async (): Promise<VendorAnswer<VendorOrder | null>> => {
    asked += 1
    const reports = [{ name: 'a.pdf', url: `https://v.example/${asked}`, type: 1 as const }]
    return {
      kind: 'ok',
      value: { orderId: 'V-1', status: 'completed', stages: [], result: { result: 'x', time: 1, reports } },
    }
  }
  return { getOrder }
}

it('keeps what the vendor named for half a minute, or until it is forgotten', async () => {
  let now = 0
  const asking = createAsking(() => now)
  const vendor = namingAnew()
  const latest = async () => {
    const { report: named, kept } = await asking.latest(vendor, sent, going)
    return [named.url, kept]
  }
  expect(await latest()).toEqual(['https://v.example/1', false])
  now = 29_999
  expect(await latest()).toEqual(['https://v.example/1', true])
  now = 30_000
  expect(await latest()).toEqual(['https://v.example/2', false])
  asking.forget(sent)
  expect(await latest()).toEqual(['https://v.example/3', false])
})

it('takes the link that was sent, and keeps nothing, where nobody can be asked', async () => {
  const asking = createAsking(() => 0)
  const notAsked = { report: { url: 'https://v.example/sent' }, kept: false }
  expect(await asking.latest(null, sent, going)).toMatchObject(notAsked)
  expect(await asking.latest(namingAnew(), { ...sent, vendorOrderId: null }, going)).toMatchObject(notAsked)
  expect(await asking.latest(namingAnew(), sent, AbortSignal.abort())).toMatchObject(notAsked)
  expect(await asking.latest(namingAnew(), sent, going)).toMatchObject({ report: { url: 'https://v.example/1' } })
})

it('waits for the vendor only so long', async () => {
  const getOrder = (_: string, { signal }: VendorCall) =>
    new Promise<VendorAnswer<never>>((resolve) => {
      signal.addEventListener('abort', () => resolve({ kind: 'retry', message: 'stopped', ambiguous: false }))
    })
  const { report: named } = await createAsking(() => 0, 20).latest({ getOrder }, sent, going)
  expect(named.url).toBe('https://v.example/sent')
})

it('forgets the oldest first, and never keeps more than 500', async () => {
  const asking = createAsking(() => 0)
  const vendor = namingAnew()
  const of = (deliveryId: number) => asking.latest(vendor, { ...sent, deliveryId: String(deliveryId) }, going)
  for (let each = 0; each <= 500; each += 1) await of(each)
  expect((await of(500)).kept).toBe(true)
  expect((await of(1)).kept).toBe(true)
  expect((await of(0)).kept).toBe(false)
})
