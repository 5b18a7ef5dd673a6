import { describe, expect, it } from 'vitest'
import type { VendorAdapter } from '../../src/flow/vendor/adapter.js'
import { readRetryAfter } from '../../src/flow/vendor/http-errors.js'
import { eventually } from '../support/eventually.js'
import { holdTimeouts } from '../support/held-timeouts.js'
import { adapterFor, answering, CANARY, call, order, readChanges, startVendor, verbs } from './vendor-peer.js'

const reads = verbs.filter(([, method]) => method === 'GET')
const writes = verbs.filter(([, method]) => method === 'POST')

describe.each(verbs)('%s', (name, method, ask) => {
  const failing = async (status: number, headers = {}) => {
    const { vendor } = await startVendor(answering({ error: CANARY }, status, headers))
    const answer = await ask(vendor)
    expect(JSON.stringify(answer)).not.toContain(CANARY)
    return answer
  }

  it.each([400, 413, 415, 422])('is final with %i', async (status) => {
    expect(await failing(status)).toMatchObject({ kind: 'final', status })
  })

  it.each([401, 403])('is misconfigured with %i', async (status) => {
    expect(await failing(status)).toMatchObject({ kind: 'misconfigured', status })
  })

  it('is final with 410, except for the feeds, which start over', async () => {
    expect((await failing(410)).kind).toBe(name === 'changes' || name === 'agreements' ? 'ok' : 'final')
  })

  it('is final with 409, except for a new order, which is looked up', async () => {
    const expected = name === 'placeOrder' ? { kind: 'retry', ambiguous: true } : { kind: 'final' }
    expect(await failing(409)).toMatchObject(expected)
  })

  it.each([301, 302, 303, 307, 308])('does not follow %i', async (status) => {
    const message = expect.stringContaining('redirects are not followed')
    expect(await failing(status, { location: '/elsewhere' })).toMatchObject({ kind: 'retry', message })
  })

  it.each([402, 406, 408, 418, 425, 500, 501, 502, 503, 504, 599])('is tried again with %i', async (status) => {
    const ambiguous = method === 'POST'
    expect(await failing(status)).toMatchObject({ kind: 'retry', status, ambiguous })
  })

  it('is tried again with 429, which had no effect, when the vendor says', async () => {
    const expected = { kind: 'retry', status: 429, ambiguous: false, retryAfterMs: 7000 }
    expect(await failing(429, { 'retry-after': '7' })).toMatchObject(expected)
  })

  it('may have had an effect when its answer is lost, if it writes', async () => {
    const { vendor } = await startVendor((_, __, socket) => void socket.resetAndDestroy())
    expect(await ask(vendor)).toMatchObject({ kind: 'retry', ambiguous: method === 'POST' })
  })

  it('may have had an effect when its time is over, if it writes', async () => {
    const pass = holdTimeouts()
    const { vendor, peer } = await startVendor(() => undefined, { timeoutMs: 400 })
    const answer = ask(vendor)
    await eventually(() => peer.seen.length).toBe(1)
    pass(400)
    expect(await answer).toMatchObject({ kind: 'retry', ambiguous: method === 'POST' })
  })

  it('had no effect when nobody was there', async () => {
    const vendor = adapterFor({ baseUrl: `http://127.0.0.1:1/${CANARY}` })
    const answer = await ask(vendor)
    expect(answer).toMatchObject({ kind: 'retry', ambiguous: false })
    expect(JSON.stringify(answer)).not.toContain(CANARY)
  })

  it('refuses more than 5 MiB', async () => {
    const { vendor } = await startVendor(answering(`"${'x'.repeat(5 * 1024 * 1024)}"`))
    const message = expect.stringContaining('more than 5242880 bytes')
    expect(await ask(vendor)).toMatchObject({ kind: 'retry', message, ambiguous: method === 'POST' })
  })
})

it.each(writes)('%s to a place that is not there is misconfigured', async (name, __, ask) => {
  // A cancel asks first whether it is only this order that is not there.
  for (const status of name === 'cancelOrder' ? [405] : [404, 405]) {
    const { vendor } = await startVendor(answering('', status))
    expect(await ask(vendor)).toMatchObject({ kind: 'misconfigured', status })
  }
})

it('a cancel of an order that the vendor lost is tried again and stops no other call', async () => {
  const { vendor } = await startVendor(answering('', 404))
  expect(await vendor.cancelOrder('V-1', 'withdrew', call)).toMatchObject({
    kind: 'retry',
    status: 404,
    ambiguous: false,
  })
})

it.each(reads)('%s with 405 is tried again', async (_, __, ask) => {
  const { vendor } = await startVendor(answering('', 405))
  expect(await ask(vendor)).toMatchObject({ kind: 'retry', ambiguous: false })
})

it('stops with the process', async () => {
  const stop = new AbortController()
  const { vendor } = await startVendor(() => stop.abort())
  expect(await vendor.placeOrder(order, stop)).toMatchObject({ kind: 'retry', ambiguous: true })
})

describe('an answer that cannot be read', () => {
  const shapeless = verbs.filter(([name]) => name !== 'cancelOrder')

  it.each(shapeless)('is tried again: %s', async (_, method, ask) => {
    for (const body of [CANARY, '', '[]', 'null', `"${CANARY}"`, `{"${CANARY}":`]) {
      const { vendor } = await startVendor(answering(body))
      const answer = await ask(vendor)
      if (body === '[]' || body === 'null')
        expect(answer).toMatchObject({ message: expect.stringMatching(/got (array|null)/) })
      expect(answer).toMatchObject({ kind: 'retry', status: 200, ambiguous: method === 'POST' })
      expect(JSON.stringify(answer)).not.toContain(CANARY)
    }
  })

  const messageOf = async (body: unknown, ask: (vendor: VendorAdapter) => Promise<object>, headers = {}) => {
    const { vendor } = await startVendor(answering(body, 200, headers))
    const answer = await ask(vendor)
    expect(JSON.stringify(answer)).not.toContain(CANARY)
    expect(answer).toMatchObject({ kind: 'retry' })
    return 'message' in answer ? String(answer.message).replace(/^.*than documented: /, '') : ''
  }
  const read = (vendor: VendorAdapter) => vendor.getOrder('V-1', call)
  const right = { order_id: 'V-1', status: 'in_progress' }
  const stage = { id: 'a', name: CANARY, time: 1 }
  const report = { name: CANARY, url: `https://${CANARY}`, type: 1 }

  it.each([
    [{ ...right, order_id: 7 }, 'order_id: expected string, got number'],
    [{ ...right, order_id: '' }, 'order_id: expected an id, got an empty string'],
    [{ ...right, order_id: '..' }, 'order_id: expected an id, got a step in a path'],
    [{ ...right, order_id: `${CANARY}\u0000` }, 'order_id: expected an id, got a string with control characters'],
    [{ ...right, order_id: `${CANARY}\ud800` }, 'order_id: expected an id, got a string with control characters'],
    [{ ...right, order_id: CANARY }, 'order_id: expected the one asked for'],
    [{ order_id: 'V-1' }, 'status: expected one of pending, in_progress, completed, canceled, got nothing'],
    [
      { ...right, status: CANARY },
      'status: expected one of pending, in_progress, completed, canceled, got another string',
    ],
    [{ ...right, status: 'completed' }, 'result: expected a result, since status is completed'],
    [{ ...right, stages: { a: CANARY } }, 'stages: expected array, got object'],
    [{ ...right, stages: [stage, { ...stage, time: CANARY }] }, 'stages[1].time: expected number, got string'],
    [
      { ...right, stages: [{ ...stage, time: 1.5 }] },
      'stages[0].time: expected whole milliseconds, got another number',
    ],
    [
      { ...right, stages: [{ ...stage, time: 1e300 }] },
      'stages[0].time: expected whole milliseconds, got another number',
    ],
    [
      { ...right, stages: [{ ...stage, time: 2 ** 60 }] },
      'stages[0].time: expected whole milliseconds, got another number',
    ],
    [{ ...right, stages: [{ ...stage, name: null }] }, 'stages[0].name: expected string, got null'],
    [
      { ...right, stages: [{ ...stage, reports: [{ ...report, type: 3 }] }] },
      'stages[0].reports[0].type: expected 1 or 2',
    ],
    [
      { ...right, stages: [{ ...stage, reports: [{ ...report, url: '' }] }] },
      'stages[0].reports[0].url: expected an http or https URL, got other text',
    ],
    [
      { ...right, stages: ['', '', '', '', '', ''] },
      expect.stringMatching(/^(stages\[\d\]: expected object, got string; ){5}and 1 more$/),
    ],
  ])('is described by paths and types: %j', async (body, complaint) => {
    expect(await messageOf(body, read)).toEqual(complaint)
  })

  it('is described when it is no JSON', async () => {
    const html = { 'content-type': `text/html; charset=${CANARY}` }
    expect(await messageOf('<p>', read, html)).toBe('expected JSON, got 3 bytes of text/html that cannot be read')
    expect(await messageOf('<p>', read, { 'content-type': CANARY })).toBe(
      'expected JSON, got 3 bytes that cannot be read',
    )
    expect(await messageOf('', read)).toBe('expected JSON, got nothing')
  })

  it('is described for the other calls', async () => {
    expect(await messageOf({ order_id: null }, (vendor) => vendor.placeOrder(order, call))).toBe(
      'order_id: expected string, got null',
    )
    expect(await messageOf({ batch: CANARY }, (vendor) => vendor.capabilities(call))).toBe(
      'batch: expected boolean, got string',
    )
    expect(await messageOf({ orders: [] }, (vendor) => readChanges(vendor, '', 1))).toBe(
      'cursor: expected string, got nothing; has_more: expected boolean, got nothing',
    )
  })

  it('is text that is no UTF-8', async () => {
    const { vendor } = await startVendor((_, response) => response.end(Buffer.from([0x22, 0xff, 0x22])))
    expect(await vendor.getOrder('V-1', call)).toMatchObject({ kind: 'retry' })
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2026-01-02T03:04:05Z')

  it.each([
    ['7', 7_000],
    [' 7 ', 7_000],
    ['0', 0],
    ['99999', 3_600_000],
    ['9'.repeat(400), 3_600_000],
    ['Fri, 02 Jan 2026 03:05:05 GMT', 60_000],
    ['Fri, 02 Jan 2026 03:04:00 GMT', 0],
    ['Fri, 02 Jan 2027 03:04:05 GMT', 3_600_000],
    ['Fri, 99 Jan 2026 03:04:05 GMT', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['2026-01-02T03:05:05Z', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('of %j is %j', (value, expected) => {
    expect(readRetryAfter(value, now)).toBe(expected)
  })

  it('reaches the caller', async () => {
    const { vendor } = await startVendor(answering('', 503, { 'retry-after': 'Fri, 02 Jan 2026 03:05:05 GMT' }), {
      now: () => now,
    })
    expect(await vendor.getOrder('V-1', call)).toMatchObject({ kind: 'retry', retryAfterMs: 60_000 })
  })
})
