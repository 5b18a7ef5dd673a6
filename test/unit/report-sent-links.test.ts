import { expect, it } from 'vitest'
import type { OrderBody } from '../../src/flow/map.js'
import { isGenuine, readToken } from '../../src/flow/reports/link.js'
import { createSentLinks } from '../../src/flow/reports/sent-links.js'
import { createDataKey } from '../../src/platform/crypto/data-key.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'

const sealer = createSealer([{ id: 'k1', key: Buffer.alloc(32, 7) }])
const key = createDataKey(sealer, '1')
const leaving = { id: '77', backgroundCheckId: '1', dataKey: key.wrapped }
const publicUrl = 'https://bgc.example.com/below'
const hour = 3_600_000
const link = createSentLinks({ sealer, publicUrl, ttlMs: hour, now: () => 1000 })

const result: OrderBody = {
  api: 'update_result',
  body: {
    background_check_id: '1',
    result: 'clear',
    result_time: '1',
    report_file_list: [
      { report_name: 'page', report_url: 'https://vendor.example/page', report_url_type: 2 },
      { report_name: 'a.pdf', report_url: 'https://vendor.example/a.pdf', report_url_type: 1 },
    ],
  },
}

it('puts a link of ours into the place of each file, and leaves pages and all else', () => {
  const before = structuredClone(result)
  const linked = link(leaving, result)
  const [page, file] = linked.body.report_file_list ?? []
  expect(linked).toEqual({ ...result, body: { ...result.body, report_file_list: [page, file] } })
  expect(page).toEqual(result.body.report_file_list?.[0])
  expect(file).toEqual({ report_name: 'a.pdf', report_url: expect.any(String), report_url_type: 1 })
  const token = readToken(file?.report_url.slice(`${publicUrl}/reports/`.length) ?? '')
  expect(file?.report_url).toMatch(/^https:\/\/bgc\.example\.com\/below\/reports\/[\w-]{64}$/)
  expect(token).toMatchObject({ deliveryId: '77', index: 1, expiresAt: 1000 + hour })
  expect(token !== null && isGenuine(key, token)).toBe(true)
  // What was opened is compared and settled after the call.
  expect(result).toEqual(before)
})

it('leaves alone what has no files or belongs to no order', () => {
  const cancel: OrderBody = { api: 'cancel', body: { background_check_id: '1' } }
  expect(link(leaving, cancel)).toBe(cancel)
  expect(link({ id: '1', backgroundCheckId: null, dataKey: null }, result)).toBe(result)
})
