import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { readReports } from '../../src/sandbox/feishu/report-reads.js'
import { reportFile, startSandboxVendor, type VendorOptions } from '../../src/sandbox/index.js'
import { stopAll, stopLater } from './support.js'

afterEach(stopAll)

const apiKey = 'vendor-key'
const file = reportFile('final.pdf')

/** A vendor that completed an order with a report, and what it names of it now. */
async function complete(options: Partial<VendorOptions> = {}) {
  const vendor = await stopLater(startSandboxVendor({ apiKey, ...options }))
  const authorization = `Bearer ${apiKey}`
  const order = {
    background_check_id: '7400000000000000202',
    account_id: '7400000000000000101',
    tenant_key: 'tk',
    candidate: {},
  }
  await fetch(`${vendor.url}/orders`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', 'idempotency-key': order.background_check_id },
    body: JSON.stringify(order),
  })
  vendor.complete('V-1')
  const latest = async () => {
    const answer = await fetch(`${vendor.url}/orders/V-1`, { headers: { authorization } })
    const { result } = (await answer.json()) as { result: { reports: Array<{ url: string }> } }
    return result.reports[0]?.url ?? ''
  }
  return { vendor, latest }
}

const ask = async (url: string, headers: Record<string, string> = {}, method = 'GET') => {
  const answer = await fetch(url, { headers, method })
  return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) }
}

describe('the vendor’s file', () => {
  test('is given out in ranges that put it together again', async () => {
    const { latest } = await complete()
    const url = await latest()
    const bounds = fc.tuple(fc.nat(file.length - 1), fc.nat(file.length + 50))
    await fc.assert(
      fc.asyncProperty(bounds, async ([from, more]) => {
        const { status, headers, body } = await ask(url, { range: `bytes=${from}-${from + more}` })
        const to = Math.min(from + more, file.length - 1)
        expect([status, headers.get('content-range')]).toEqual([206, `bytes ${from}-${to}/${file.length}`])
        expect(body.equals(file.subarray(from, to + 1))).toBe(true)
      }),
      { numRuns: 30 },
    )
    expect((await ask(url, { range: `bytes=${file.length}-` })).status).toBe(416)
    expect((await ask(url, { range: 'bytes=-7' })).body.equals(file.subarray(-7))).toBe(true)
    expect((await ask(url, { range: 'bytes=0-1,3-4' })).body.equals(file)).toBe(true)
    expect((await ask(url, { range: 'bytes=0-1', 'if-range': '"another"' })).status).toBe(200)
    const etag = (await ask(url, {}, 'HEAD')).headers.get('etag') ?? ''
    expect((await ask(url, { range: 'bytes=0-1', 'if-range': etag })).status).toBe(206)
  })

  test('is not given to who brings a key, as stores of files refuse it', async () => {
    const { latest } = await complete()
    expect((await ask(await latest(), { authorization: `Bearer ${apiKey}` })).status).toBe(400)
  })

  test('is behind signed links only, where links rotate, and behind none that has ended', async () => {
    const { vendor, latest } = await complete({ rotateReportLinks: true })
    const [first, second] = [await latest(), await latest()]
    expect(first).not.toBe(second)
    expect((await ask(first)).body.equals(file)).toBe(true)
    expect((await ask(second)).status).toBe(200)
    for (const forged of [first.replace(/.$/, '~'), first.replace(/\?.*/, ''), `${first.split('?')[0]}?signature=.`]) {
      expect((await ask(forged)).status).toBe(403)
    }
    vendor.expireReportLinks()
    expect((await ask(second)).status).toBe(403)
    expect((await ask(await latest())).status).toBe(200)
  })
})

describe('a reader in Feishu', () => {
  const answers: Record<string, [number, Record<string, string>, string]> = {
    '/good': [200, { 'content-type': 'application/pdf' }, '%PDF-1.4'],
    '/moved': [302, { location: '/good' }, ''],
    '/html': [200, { 'content-type': 'text/html' }, '%PDF-1.4'],
    '/untrue': [200, { 'content-type': 'application/pdf' }, '<html>'],
    '/part': [206, { 'content-type': 'application/pdf' }, '%PDF-1.4'],
  }

  test('takes a PDF that says it is one, right behind its link, and nothing else', async () => {
    const seen: unknown[] = []
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization)
      const [status, headers, body] = answers[request.url ?? ''] ?? [404, {}, '']
      response.writeHead(status, headers).end(body)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    await stopLater(Promise.resolve({ stop: async () => void server.close() }))
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const reports = [...Object.keys(answers), '/none'].map((path) => ({
      name: path,
      url: base + path,
      urlType: 1 as const,
    }))
    const page = { name: 'page', url: `${base}/page`, urlType: 2 as const }
    // What a reader looks at of an order.
    const order = { stages: [{ reports: [page, ...reports.slice(0, 3)] }], result: { reports: reports.slice(3) } }
    const read = await readReports(order as unknown as Parameters<typeof readReports>[0])
    expect(read.map(({ name, ok, problem }) => [name, ok, problem])).toEqual([
      ['/good', true, undefined],
      ['/moved', false, 'expected 200, got 302'],
      ['/html', false, 'Content-Type: expected application/pdf, got text/html'],
      ['/untrue', false, 'the file does not begin as a PDF'],
      ['/part', false, 'expected 200, got 206'],
      ['/none', false, 'expected 200, got 404'],
    ])
    expect(seen).toEqual(Array(6).fill(undefined))
  })
})
