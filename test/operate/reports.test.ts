import http, { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { OrderBody } from '../../src/flow/map.js'
import { keyOfOrder } from '../../src/flow/orders/keys.js'
import { makeToken } from '../../src/flow/reports/link.js'
import { createReports } from '../../src/flow/reports/open.js'
import type { ReportToOpen, VendorAdapter, VendorAnswer, VendorOrder } from '../../src/flow/vendor/adapter.js'
import { createFileFetch } from '../../src/flow/vendor/file-fetch.js'
import { createApi } from '../../src/operate/api/app.js'
import { createReportsDoor, type ReportsDoorTerms } from '../../src/operate/reports.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { eventually } from '../support/eventually.js'
import { type Answer, privately, startFileHost } from '../support/file-host.js'
import { freshId } from '../support/room.js'
import { type Api, startOperators } from './harness.js'
import { addDeliveries, addPolledOrder, setOrder } from './rows.js'

let api: Api

beforeAll(async () => {
  api = await startOperators()
})
afterAll(() => api.stop())

const pdf = `%PDF-1.4 ${'0123456789'.repeat(50)}`
const name = 'canary 张三.pdf'
const dayMs = 86_400_000

/** An order with one report that was sent, and a token of it. */
async function sendReport(
  link = 'https://vendor.invalid/canary',
  more: Partial<{ type: 1 | 2; expiresAt: number; index: number }> = {},
) {
  const id = freshId()
  await addPolledOrder(api, id, `V-${id}`)
  const report = { report_name: name, report_url: link, report_url_type: more.type ?? 1 } as const
  const body = { background_check_id: id, result: 'canary', result_time: '1', report_file_list: [report] }
  const content: OrderBody = { api: 'update_result', body }
  const [deliveryId = ''] = await addDeliveries(api, id, [content])
  const { rows } = await api.parts.database.pool.query('SELECT data_key FROM orders WHERE background_check_id = $1', [
    id,
  ])
  const key = keyOfOrder(api.parts.sealer, id, rows[0].data_key)
  const { expiresAt = Date.now() + dayMs, index = 0 } = more
  const make = (terms: { expiresAt?: number; index?: number } = {}) =>
    makeToken(key, { deliveryId, index, expiresAt, ...terms })
  return { id, deliveryId, token: make(), make }
}

type Vendor = Partial<VendorAdapter>
const notKnown = async (): Promise<VendorAnswer<VendorOrder | null>> => ({ kind: 'ok', value: null })

interface DoorOptions {
  vendor?: Vendor | 'none'
  terms?: Partial<ReportsDoorTerms>
  ownOrigin?: string
  now?: () => number
  pool?: Api['parts']['database']['pool']
  sealer?: Api['parts']['sealer']
}

/** The public door alone; who answers for the vendor is the test's matter. */
async function openDoor({ vendor = {}, terms = {}, ownOrigin, now, pool, sealer }: DoorOptions = {}) {
  const { parts } = api
  const fetchFile = createFileFetch({
    timeoutMs: 60_000,
    proxyFor: () => null,
    ...(ownOrigin !== undefined && { ownOrigin }),
  })
  const reports = createReports({
    database: { pool: pool ?? parts.database.pool },
    sealer: sealer ?? parts.sealer,
    log: parts.log,
    fetchFile,
    // Of an adapter nothing else is asked here.
    vendor: async () => {
      if (vendor === 'none') throw new Error('no adapter')
      return { getOrder: notKnown, ...vendor } as VendorAdapter
    },
    ...(now && { now }),
  })
  const door = createReportsDoor(reports, parts, terms)
  const ready = async () => ({ status: 'ok' as const, checks: {} })
  const server = http.createServer(
    await createApi({
      ...parts,
      ready,
      operators: false,
      metricsHere: false,
      countBacklog: async () => undefined,
      reports: door.answer,
    }),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { door, port, url: `http://127.0.0.1:${port}/reports` }
}

const opened = (body: string | Readable, more: object = {}) =>
  ({
    kind: 'opened',
    status: 200,
    body: typeof body === 'string' ? Readable.from([Buffer.from(body)]) : body,
    ranges: false,
    ...more,
  }) as const

/** A host of files on the vendor's own origin, and the door in front of it. */
async function serveFrom(answer: Answer, options: DoorOptions = {}) {
  const host = await startFileHost(answer, privately)
  const ownOrigin = `http://127.0.0.1:${host.port}`
  const door = await openDoor({ ownOrigin, ...options })
  const sent = await sendReport(`${ownOrigin}/canary.pdf`)
  return { ...door, host, ...sent, link: `${door.url}/${sent.token}` }
}

const asPdf = { 'content-type': 'application/pdf' }

/** The counter of answers, by reason. */
async function counted(reason: string): Promise<number> {
  const { values } = await api.parts.metrics.reportAnswers.get()
  return values.filter(({ labels }) => labels.reason === reason).reduce((sum, { value }) => sum + value, 0)
}

async function headOf(
  link: string,
  options: http.RequestOptions = {},
): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.request(link, { agent: false, ...options }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      )
    })
    request.on('error', reject)
    request.end()
  })
}

const safe = {
  'cache-control': 'private, no-store',
  'content-security-policy': "default-src 'none'; sandbox",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex, nofollow, noarchive',
}

describe('a good link', () => {
  const talkative: Answer = (_, response) =>
    response
      .writeHead(200, {
        ...asPdf,
        'content-length': Buffer.byteLength(pdf),
        'accept-ranges': 'bytes',
        etag: '"v1"',
        'set-cookie': 'session=canary',
        server: 'canary',
        'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
        'cache-control': 'public',
        'www-authenticate': 'Basic',
        'content-disposition': 'inline; filename=canary.exe',
        'x-amz-meta-candidate': 'canary',
      })
      .end(pdf)

  it('gives the file with headers of this service and of its own only what reading needs', async () => {
    const { link, host } = await serveFrom(talkative)
    const { status, headers, body } = await headOf(link)
    expect([status, body]).toEqual([200, pdf])
    const { date: _, ...told } = headers
    expect(told).toEqual({
      ...safe,
      'accept-ranges': 'bytes',
      connection: 'close',
      'content-disposition': `attachment; filename="canary __.pdf"; filename*=UTF-8''canary%20%E5%BC%A0%E4%B8%89.pdf`,
      'content-length': String(Buffer.byteLength(pdf)),
      'content-type': 'application/pdf',
      etag: '"v1"',
    })
    expect(host.seen[0]?.headers.authorization).toBeUndefined()
  })

  it('answers HEAD with the same headers and without the file', async () => {
    const { link, host } = await serveFrom(talkative)
    const get = await headOf(link)
    const head = await headOf(link, { method: 'HEAD' })
    expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' })
    expect([head.status, head.body]).toEqual([200, ''])
    await eventually(() => host.sockets.size).toBe(0)
  })

  it('may have a query, which many add to follow readers', async () => {
    const { link } = await serveFrom(talkative)
    expect((await headOf(`${link}?utm_source=feishu`)).status).toBe(200)
  })

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('does not take %s', async (method) => {
    const { link, host } = await serveFrom(talkative)
    const { status, headers } = await headOf(link, { method })
    expect([status, headers.allow]).toEqual([405, 'GET, HEAD'])
    expect(host.seen).toEqual([])
  })

  it('asks the adapter with all it knows of the report', async () => {
    const asked: unknown[] = []
    const { id, token } = await sendReport()
    const { url } = await openDoor({
      vendor: {
        openReport: async (report, question) => {
          asked.push([report, question])
          return opened(pdf)
        },
      },
    })
    await headOf(`${url}/${token}`, { headers: { range: 'bytes=1-2', 'if-range': '"v1"' } })
    const report = {
      orderId: `V-${id}`,
      backgroundCheckId: id,
      stageId: null,
      name,
      url: 'https://vendor.invalid/canary',
    }
    expect(asked).toEqual([[report, { method: 'GET', range: 'bytes=1-2', ifRange: '"v1"' }]])
  })

  it.each([
    ['bytes=0-', '"v1"', 'bytes=0-'],
    ['bytes=-5', undefined, 'bytes=-5'],
    ['bytes=0-1,3-4', undefined, undefined],
    ['bytes=5', undefined, undefined],
    ['items=0-1', undefined, undefined],
    ['bytes=0-1', 'Thu, 01 Jan 2026 00:00:00 GMT', undefined],
    ['bytes=0-1', 'W/"v1"', undefined],
  ])('with the range %s if %s asks for %s', async (range, ifRange, passed) => {
    const asked: unknown[] = []
    const openReport: VendorAdapter['openReport'] = async (_, question) => {
      asked.push(question.range)
      return opened(pdf)
    }
    const { url } = await openDoor({ vendor: { openReport } })
    const { token } = await sendReport()
    await headOf(`${url}/${token}`, { headers: { range, ...(ifRange && { 'if-range': ifRange }) } })
    expect(asked).toEqual([passed])
  })

  it('says that the file has no such range, and how long it is', async () => {
    const { link } = await serveFrom((_, response) => response.writeHead(416, { 'content-range': 'bytes */509' }).end())
    const { status, headers } = await headOf(link, { headers: { range: 'bytes=900-' } })
    expect([status, headers['content-range'], headers['content-type']]).toEqual([
      416,
      'bytes */509',
      'text/plain; charset=utf-8',
    ])
  })
})

describe('a link that is not good', () => {
  it('looks the same when it is wrong, of nothing, of a page, unreadable or erased', async () => {
    const good = await sendReport()
    const erased = await sendReport()
    await setOrder(api, erased.id, { data_key: null })
    const bodyErased = await sendReport()
    await api.parts.database.pool.query('UPDATE deliveries SET body_sealed = NULL WHERE id = $1', [
      bodyErased.deliveryId,
    ])
    const page = await sendReport('https://vendor.invalid/', { type: 2 })
    const bytes = Buffer.from(good.token, 'base64url')
    bytes.writeUInt8(bytes.readUInt8(47) ^ 1, 47)
    const unknown = Buffer.from(good.token, 'base64url')
    unknown.writeBigUInt64BE(2n ** 62n, 1)
    const { url } = await openDoor({ vendor: { openReport: async () => opened(pdf) } })
    expect((await headOf(`${url}/${good.token}`)).status).toBe(200)
    const tokens = [
      erased.token,
      bodyErased.token,
      page.token,
      good.make({ index: 1 }),
      bytes.toString('base64url'),
      unknown.toString('base64url'),
      erased.make({ expiresAt: 1 }),
      'x',
      '',
      `${good.token}/`,
      `${good.token}/more`,
      good.token.toUpperCase(),
      '%2e%2e%2fhealthz',
    ]
    const answers = await Promise.all(tokens.map((token) => headOf(`${url}/${token}`)))
    for (const { status, headers, body } of answers) {
      expect([status, body]).toEqual([404, 'There is no report behind this link.\n'])
      expect({ ...headers, date: '' }).toEqual({ ...answers[0]?.headers, date: '' })
    }
    expect(answers[0]?.headers).toMatchObject(safe)
  })

  it('is told to be over only to who had a good one', async () => {
    const { make } = await sendReport()
    const { url } = await openDoor({ now: () => 5000, vendor: { openReport: async () => opened(pdf) } })
    expect((await headOf(`${url}/${make({ expiresAt: 5001 })}`)).status).toBe(200)
    const over = make({ expiresAt: 5000 })
    expect((await headOf(`${url}/${over}`)).status).toBe(410)
    expect((await headOf(`${url}/${over}`, { method: 'HEAD' })).body).toBe('')
    const forged = Buffer.from(over, 'base64url')
    forged.writeUIntBE(4000, 10, 6)
    expect((await headOf(`${url}/${forged.toString('base64url')}`)).status).toBe(404)
  })

  it('is asked for again later when the database or the key is not there', async () => {
    const { token } = await sendReport()
    const away = { query: () => Promise.reject(new Error('the database is away')) } as never
    for (const options of [{ pool: away }, { sealer: createSealer([{ id: 'other', key: Buffer.alloc(32, 1) }]) }]) {
      const { url } = await openDoor(options)
      const { status, headers } = await headOf(`${url}/${token}`)
      expect([status, headers['retry-after']]).toEqual([503, '5'])
    }
  })
})

describe('the vendor', () => {
  it.each([
    ['gone', { kind: 'gone', message: 'canary' }, 404, undefined],
    ['refused', { kind: 'refused', why: 'type', message: 'canary' }, 502, undefined],
    ['later', { kind: 'retry', message: 'canary', ambiguous: false, retryAfterMs: 1500 }, 502, '2'],
    ['final', { kind: 'final', message: 'canary' }, 502, '60'],
    ['misconfigured', { kind: 'misconfigured', message: 'canary' }, 502, '60'],
  ] as const)('that answers %s is not quoted', async (_, answer, status, retryAfter) => {
    const { token } = await sendReport()
    const { url } = await openDoor({ vendor: { openReport: async () => answer } })
    const told = await headOf(`${url}/${token}`)
    expect([told.status, told.headers['retry-after']]).toEqual([status, retryAfter])
    expect(told.body).not.toContain('canary')
  })

  it('whose adapter throws is not quoted either', async () => {
    const { token } = await sendReport()
    const throwing = () => {
      throw new Error('canary')
    }
    for (const openReport of [async () => throwing(), throwing]) {
      const { url } = await openDoor({ vendor: { openReport } })
      expect((await headOf(`${url}/${token}`)).status).toBe(502)
    }
  })

  it.each([
    ['has no such verb', {}],
    ['cannot be loaded', 'none' as const],
    ['does not answer', { getOrder: async () => ({ kind: 'retry', message: 'x', ambiguous: false }) } as Vendor],
  ])('whose adapter %s has its link fetched as it was sent', async (_, vendor) => {
    const { link, host } = await serveFrom((_request, response) => response.writeHead(200, asPdf).end(pdf), { vendor })
    expect((await headOf(link)).body).toBe(pdf)
    expect(host.seen[0]?.url).toBe('/canary.pdf')
  })

  it('that answers with another check’s order has nothing of it opened', async () => {
    const asked: ReportToOpen[] = []
    const reports = [{ name, url: 'https://vendor.invalid/of-somebody-else', type: 1 as const }]
    const foreign: VendorOrder = {
      orderId: 'V-1',
      backgroundCheckId: '1',
      status: 'completed',
      stages: [],
      result: { result: 'x', time: 1, reports },
    }
    const { token } = await sendReport()
    const { url } = await openDoor({
      vendor: {
        getOrder: async () => ({ kind: 'ok', value: foreign }),
        openReport: async (report) => {
          asked.push(report)
          return opened(pdf)
        },
      },
    })
    await headOf(`${url}/${token}`)
    expect(asked.map((report) => report.url)).toEqual(['https://vendor.invalid/canary'])
  })
})

describe('a file under way', () => {
  const chunk = Buffer.alloc(64 * 1024, 'x')

  it('is broken off where the vendor breaks off, whether its length was told or not', async () => {
    for (const head of [{ ...asPdf, 'content-length': '100000' }, asPdf]) {
      const { link } = await serveFrom((_, response) => {
        response.writeHead(200, head)
        response.write(pdf, () => response.destroy())
      })
      const before = await counted('broken_off')
      await expect(headOf(link)).rejects.toThrow()
      expect(await counted('broken_off')).toBe(before + 1)
    }
  })

  it('is broken off where an adapter’s file is shorter or longer than told', async () => {
    const { token } = await sendReport()
    for (const length of [pdf.length - 1, pdf.length + 1]) {
      const { url } = await openDoor({ vendor: { openReport: async () => opened(pdf, { length }) } })
      const before = await counted('wrong_length')
      await expect(headOf(`${url}/${token}`)).rejects.toThrow()
      expect(await counted('wrong_length')).toBe(before + 1)
    }
  })

  it('is broken off when it grows larger than what is passed on', async () => {
    const { link, host } = await serveFrom((_, response) => endless(response), { terms: { mostBytes: 1_000_000 } })
    await expect(headOf(link)).rejects.toThrow()
    expect(await counted('too_large')).toBe(1)
    await eventually(() => host.sockets.size).toBe(0)
  })

  it.each([
    ['stalled', { stalledMs: 150 }],
    ['took_too_long', { wholeMs: 150 }],
  ])('is broken off when it has %s', async (reason, terms) => {
    const { link, host } = await serveFrom((_, response) => response.writeHead(200, asPdf).write(pdf), { terms })
    await expect(headOf(link)).rejects.toThrow()
    expect(await counted(reason)).toBe(1)
    await eventually(() => host.sockets.size).toBe(0)
  })

  it('is not asked for beyond its head when only that is wanted', async () => {
    const { link, host } = await serveFrom((_, response) => endless(response))
    expect(await headOf(link, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
    await eventually(() => host.sockets.size).toBe(0)
  })

  it('is asked for no longer when its reader goes away', async () => {
    const { link, host } = await serveFrom((_, response) => endless(response))
    const request = http.get(link, { agent: false })
    const response = await new Promise<IncomingMessage>((resolve) => request.once('response', resolve))
    await new Promise((resolve) => response.once('data', resolve))
    request.on('error', () => undefined)
    request.destroy()
    await eventually(() => host.sockets.size).toBe(0)
    await eventually(() => counted('client_left')).toBe(1)
  })

  it('is asked for no longer when its reader goes away before it comes', async () => {
    const { link, host } = await serveFrom(() => undefined)
    const request = http.get(link, { agent: false })
    request.on('error', () => undefined)
    await eventually(() => host.seen.length).toBe(1)
    const before = await counted('client_left')
    request.destroy()
    await eventually(() => host.sockets.size).toBe(0)
    await eventually(() => counted('client_left')).toBe(before + 1)
  })

  it('waits for its reader instead of filling the memory', async () => {
    const chunks = 1024
    const made = { bytes: 0 }
    const { link } = await serveFrom((_, response) => {
      response.writeHead(200, { ...asPdf, 'content-length': String(chunks * chunk.length) })
      Readable.from(
        (function* () {
          for (let sent = 0; sent < chunks; sent += 1) {
            made.bytes += chunk.length
            yield chunk
          }
        })(),
      ).pipe(response)
    })
    const request = http.get(link, { agent: false })
    const response = await new Promise<IncomingMessage>((resolve) => request.once('response', resolve))
    // Nobody reads: what the vendor gives comes to rest in the buffers of sockets.
    let quiet = 0
    let last = -1
    await eventually(() => {
      quiet = made.bytes === last ? quiet + 1 : 0
      last = made.bytes
      return quiet
    }).toBeGreaterThan(30)
    expect(made.bytes).toBeLessThan((chunks * chunk.length) / 2)
    let read = 0
    for await (const part of response) read += (part as Buffer).length
    expect(read).toBe(chunks * chunk.length)
  })

  function endless(response: ServerResponse): void {
    response.writeHead(200, asPdf)
    const body = new Readable({ read: () => void body.push(chunk) })
    body.pipe(response)
    response.on('close', () => body.destroy())
  }
})

describe('the door', () => {
  it('lets so many read at a time, and asks one more to come again', async () => {
    const { link, url, host } = await serveFrom((_, response) => response.writeHead(200, asPdf).write(pdf), {
      terms: { mostAtOnce: 2 },
    })
    const readers = [http.get(link, { agent: false }), http.get(link, { agent: false })]
    for (const reader of readers) reader.on('error', () => undefined)
    await eventually(() => host.seen.length).toBe(2)
    const { status, headers } = await headOf(`${url}/x`)
    expect([status, headers['retry-after']]).toEqual([503, '5'])
    readers[0]?.destroy()
    await eventually(async () => (await headOf(`${url}/x`)).status).toBe(404)
  })

  it('lets the readers of one link not take the places of others', async () => {
    const { link, url, host } = await serveFrom((_, response) => response.writeHead(200, asPdf).write(pdf), {
      terms: { mostOfOne: 1 },
    })
    const reader = http.get(link, { agent: false })
    reader.on('error', () => undefined)
    await eventually(() => host.seen.length).toBe(1)
    expect((await headOf(link)).status).toBe(503)
    expect((await headOf(`${url}/x`)).status).toBe(404)
    reader.destroy()
    await eventually(() => host.sockets.size).toBe(0)
  })

  it('lets what is under way end at a stop, and begins nothing', async () => {
    let finish: () => void = () => undefined
    const { link, door, host } = await serveFrom(
      (_, response) => {
        response.writeHead(200, asPdf).write(pdf)
        finish = () => response.end(pdf)
      },
      { terms: { stopWithinMs: 30_000 } },
    )
    const reading = headOf(link)
    await eventually(() => host.seen.length).toBe(1)
    const stopped = door.stop()
    expect((await headOf(link)).status).toBe(503)
    finish()
    expect((await reading).body).toBe(pdf + pdf)
    await stopped
  })

  it('breaks off at a stop what does not end in time', async () => {
    const { link, door, host } = await serveFrom((_, response) => response.writeHead(200, asPdf).write(pdf), {
      terms: { stopWithinMs: 50 },
    })
    const reading = headOf(link).then(
      () => 'whole',
      () => 'broken off',
    )
    await eventually(() => host.seen.length).toBe(1)
    await door.stop()
    expect(await reading).toBe('broken off')
    expect(await counted('stopped')).toBe(1)
    await door.stop()
  })

  it('logs and counts each answer, and no token, link or name with it', async () => {
    const { link, url, token, deliveryId } = await serveFrom((_, response) => response.writeHead(200, asPdf).end(pdf))
    const broken = await serveFrom((_, response) =>
      response.writeHead(302, { location: 'http://canary.invalid' }).end(),
    )
    const from = api.log.length
    const bytes = async () => (await api.parts.metrics.reportBytes.get()).values[0]?.value ?? 0
    const [before, whole] = [await bytes(), await counted('whole')]
    for (const asked of [
      link,
      broken.link,
      `${url}/${token.slice(0, 40)}`,
      `${url}/${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`,
    ])
      await headOf(asked)
    const lines = api.log.slice(from).map((line) => JSON.parse(line))
    expect(lines.map((line) => [line.event, line.level, line.delivery_id, line.status, line.reason])).toEqual([
      ['report.served', 'info', deliveryId, 200, 'whole'],
      ['report.served', 'warn', broken.deliveryId, 502, 'refused_redirect'],
      ['report.served', 'debug', undefined, 404, 'not_found'],
      ['report.served', 'debug', undefined, 404, 'not_found'],
    ])
    expect(api.log.slice(from).join('')).not.toMatch(/canary|张三|[A-Za-z0-9_-]{40}/)
    expect([await bytes(), await counted('whole')]).toEqual([before + pdf.length, whole + 1])
  })
})
