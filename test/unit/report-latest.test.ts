import { expect, it } from 'vitest'
import { hashedStageId } from '../../src/flow/orders/stages.js'
import type { SentReport } from '../../src/flow/reports/find.js'
import { latestOf } from '../../src/flow/reports/latest.js'
import type { VendorOrder, VendorReport } from '../../src/flow/vendor/adapter.js'

const file = (name: string, url: string): VendorReport => ({ name, url, type: 1 })
const sent = (more: Partial<SentReport> = {}): SentReport => ({
  deliveryId: '1',
  backgroundCheckId: '1',
  vendorOrderId: 'V-1',
  stageId: null,
  namesakes: 0,
  report: { report_name: 'a.pdf', report_url: 'https://v.example/sent', report_url_type: 1 },
  ...more,
})
const order = (more: Partial<VendorOrder> = {}): VendorOrder => ({
  orderId: 'V-1',
  status: 'completed',
  stages: [],
  ...more,
})
const result = (...reports: VendorReport[]) => order({ result: { result: 'x', time: 1, reports } })
const stages = (...ids: string[]) =>
  order({ stages: ids.map((id) => ({ id, name: 'n', time: 1, reports: [file('a.pdf', `https://v.example/${id}`)] })) })
const urlOf = (one: SentReport, latest: VendorOrder | null) => latestOf(one, latest).url

it('is the report of that name that the vendor names now, wherever it stands', () => {
  const latest = result(file('b.pdf', 'https://v.example/b'), file('a.pdf', 'https://v.example/new'))
  expect(latestOf(sent(), latest)).toEqual({
    orderId: 'V-1',
    backgroundCheckId: '1',
    stageId: null,
    name: 'a.pdf',
    url: 'https://v.example/new',
  })
})

it('is, of several with one name, the one in the same place among them', () => {
  const latest = result(
    file('a.pdf', 'https://v.example/1'),
    file('b.pdf', 'https://v.example/b'),
    file('a.pdf', 'https://v.example/2'),
  )
  expect(urlOf(sent({ namesakes: 1 }), latest)).toBe('https://v.example/2')
})

it.each([
  ['was not asked', null],
  ['names no result any more', order()],
  ['names another report', result(file('b.pdf', 'https://v.example/b'))],
  ['names a page by that name', result({ name: 'a.pdf', url: 'https://v.example/page', type: 2 })],
  ['names it in a stage only', stages('st-1')],
])('is the one that was sent where the vendor %s', (_, latest) => {
  expect(urlOf(sent(), latest)).toBe('https://v.example/sent')
})

it('is a name that was shortened for Feishu as well', () => {
  const long = `${'长'.repeat(120)}.pdf`
  const report = { report_name: '长'.repeat(100), report_url: 'https://v.example/sent', report_url_type: 1 } as const
  expect(latestOf(sent({ report }), result(file(long, 'https://v.example/new')))).toMatchObject({
    name: long,
    url: 'https://v.example/new',
  })
})

it('is of the same stage: by the vendor’s id, or by the hash that Feishu knows it by', () => {
  const odd = 'Stufe Nr. 1'
  expect(latestOf(sent({ stageId: 'st-2' }), stages('st-1', 'st-2'))).toMatchObject({
    stageId: 'st-2',
    url: 'https://v.example/st-2',
  })
  expect(latestOf(sent({ stageId: hashedStageId(odd) }), stages('st-1', odd)).stageId).toBe(odd)
  expect(latestOf(sent({ stageId: hashedStageId('st-1') }), stages('st-1')).stageId).toBe('st-1')
  expect(urlOf(sent({ stageId: 'st-9' }), stages('st-1'))).toBe('https://v.example/sent')
})
