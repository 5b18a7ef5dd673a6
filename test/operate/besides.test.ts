import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Acceptance } from '../../src/flow/map.js'
import type { OpenedLink } from '../../src/flow/reports/open.js'
import { createMetrics } from '../../src/operate/metrics.js'
import { asObject } from '../../src/operate/openapi/json.js'
import { createReportsDoor } from '../../src/operate/reports.js'
import { createLogger } from '../../src/platform/logger.js'
import { checkBody, created, eventOf, firstApp, type Push, push } from '../support/pushes.js'
import { type Receiving, startReceiving } from '../support/receiving.js'
import { type Ground, layGround } from '../support/room.js'
import { document, holdToDocument } from './document.js'

/** What is not made from the table of routes is held to the document as well. */
function documented(path: string, method: string): number[] {
  const operation = asObject(asObject(asObject(document['paths'])[path])[method])
  return Object.keys(asObject(operation['responses'])).map(Number)
}

describe('the webhook', () => {
  let ground: Ground
  let receiving: Receiving
  let acceptance: Acceptance = 'accepted'
  beforeAll(async () => {
    ground = await layGround()
    receiving = await startReceiving(ground, { accept: async () => acceptance, isKnown: async () => false })
  })
  afterAll(async () => {
    await receiving.stop()
    await ground.stop()
  })

  const event = () => push(firstApp, eventOf(firstApp, created, checkBody('7400000000000000202')))
  const bare = (body: string | Buffer, headers = {}): Push => ({
    body: Buffer.from(body),
    headers: { 'content-type': 'application/json', ...headers },
  })
  const challenge = { type: 'url_verification', token: firstApp.verificationToken, challenge: 'c' }

  const pushes: Array<[number, string, () => Push, Acceptance?]> = [
    [200, 'events', event],
    [200, `${firstApp.appId}/events`, () => push(firstApp, challenge)],
    [400, 'events', () => bare('[')],
    [401, 'events', () => bare('{"schema":"2.0"}')],
    [404, 'cli_nobody/events', event],
    [413, 'events', () => bare(Buffer.alloc(1024 * 1024 + 1))],
    [415, 'events', () => ({ ...event(), headers: { ...event().headers, 'content-encoding': 'gzip' } })],
    [503, 'events', event, 'unavailable'],
  ]
  it.each(pushes)('answers %i as documented, to %s', async (status, path, make, accepts = 'accepted') => {
    acceptance = accepts
    const { body, headers } = make()
    await answered(status, 'POST', path, { headers, body: new Uint8Array(body) })
  })

  it('answers another method as documented', () => answered(405, 'PUT', 'events', {}))

  it('answers a body that does not come as documented', async () => {
    const status = await new Promise((resolve, reject) => {
      const url = `http://127.0.0.1:${receiving.port}/webhooks/feishu/events`
      const sent = request(url, { method: 'POST', headers: { 'content-length': 10 } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      sent.on('error', reject)
      sent.write('{')
    })
    expect(status).toBe(408)
  })

  it('has no answer that is not tried here', () => {
    const tried = new Set([...pushes.map(([status]) => status), 405, 408])
    for (const path of ['/webhooks/feishu/events', '/webhooks/feishu/{app_id}/events'])
      expect(documented(path, 'post')).toEqual([...tried].toSorted((one, other) => one - other))
  })

  async function answered(status: number, method: string, path: string, init: RequestInit): Promise<void> {
    const full = `/webhooks/feishu/${path}`
    const response = await fetch(`http://127.0.0.1:${receiving.port}${full}`, { ...init, method })
    expect(response.status).toBe(status)
    holdToDocument('POST', full, { status, headers: response.headers, body: await response.json() })
  }
})

describe('a report', () => {
  const answer = (given: Extract<OpenedLink, { kind: 'answered' }>['answer']): OpenedLink => ({
    kind: 'answered',
    deliveryId: '1',
    name: 'report.pdf',
    answer: given,
  })
  const file = (status: 200 | 206) =>
    answer({
      kind: 'opened',
      status,
      body: Readable.from([Buffer.from('%PDF-')]),
      ranges: true,
      contentRange: 'bytes 0-4/9',
    })
  const links: Array<[number, () => OpenedLink, string?]> = [
    [200, () => file(200)],
    [206, () => file(206)],
    [404, () => ({ kind: 'not_found' })],
    [405, () => ({ kind: 'not_found' }), 'POST'],
    [410, () => ({ kind: 'expired', deliveryId: '1' })],
    [416, () => answer({ kind: 'unsatisfiable' })],
    [502, () => answer({ kind: 'refused', why: 'type', message: '' })],
    [
      503,
      () => {
        throw new Error('the database is away')
      },
    ],
  ]
  it.each(links)('answers %i as documented', async (status, open, method = 'GET') => {
    const log = createLogger('silent')
    const reports = { open: async () => open() }
    const door = createReportsDoor(reports, { log, metrics: createMetrics(), config: { stopTimeoutMs: 1000 } })
    const server = createServer(door.answer)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, { method })
    await response.arrayBuffer()
    server.closeAllConnections()
    server.close()
    await door.stop()
    expect(response.status).toBe(status)
    holdToDocument('GET', '/reports/token', { status, headers: response.headers, body: null })
  })

  it('has no answer that is not tried here', () => {
    expect(documented('/reports/{token}', 'get')).toEqual(links.map(([status]) => status))
  })
})
