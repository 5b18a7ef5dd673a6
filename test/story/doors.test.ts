import { afterEach, expect, it } from 'vitest'
import { openDatabase } from '../../src/platform/database/database.js'
import { createLogger } from '../../src/platform/logger.js'
import { freePort } from '../support/free-port.js'
import { eventOf, push } from '../support/pushes.js'
import { customApp, startWorld, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

async function statusAt(port: number | undefined, path: string, method = 'GET'): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}${path}`, { method })).status
}

const webhook = '/webhooks/feishu/events'

it('keeps operators and metrics off the public listener when there is an internal one', async () => {
  world = await startWorld({ env: { BGC_INTERNAL_PORT: String(await freePort()) } })
  const [app] = world.apps
  for (const port of [app?.port, app?.internalPort]) expect(await statusAt(port, '/healthz')).toBe(200)
  for (const path of ['/metrics', '/v1/orders', '/docs/problems']) expect(await statusAt(app?.port, path)).toBe(404)
  expect(await statusAt(app?.internalPort, '/metrics')).toBe(200)
  expect(await statusAt(app?.internalPort, '/v1/orders')).toBe(401)
  expect(await statusAt(app?.port, webhook, 'POST')).toBe(400)
  expect(await statusAt(app?.internalPort, webhook, 'POST')).toBe(404)
})

it('answers health checks and metrics in every process, and pushes and operators only where it receives', async () => {
  world = await startWorld({ mode: 'redis', processes: ['receiver', 'poller,sync'] })
  const [receiver, worker] = world.apps
  for (const app of [receiver, worker]) {
    for (const path of ['/healthz', '/readyz', '/metrics']) expect(await statusAt(app?.port, path)).toBe(200)
  }
  expect(await statusAt(receiver?.port, '/v1/orders')).toBe(401)
  expect(await statusAt(receiver?.port, webhook, 'POST')).toBe(400)
  expect(await statusAt(worker?.port, '/v1/orders')).toBe(404)
  expect(await statusAt(worker?.port, webhook, 'POST')).toBe(404)
})

it('says once in the log why events are answered 503, and takes them when PostgreSQL is mended', async () => {
  world = await startWorld()
  const { url, config, log } = world
  const app = { ...customApp, path: `${url}/webhooks/feishu/${customApp.appId}/events` }
  const pushed = async (payload: object, timestamp?: string) => {
    const { body, headers } = push(app, eventOf(app, 'other', payload), timestamp === undefined ? {} : { timestamp })
    return (await fetch(app.path, { method: 'POST', headers, body: new Uint8Array(body) })).status
  }
  const rows = openDatabase({ url: config.databaseUrl ?? '', log: createLogger('silent') })
  try {
    await rows.pool.query('ALTER TABLE seen_events RENAME TO seen_away')
    for (const secret of ['secret-1', 'secret-2']) expect(await pushed({ name: secret })).toBe(503)
    // Too old, and yet 200 if it was taken before: whoever asks for that meets the same table.
    expect(await pushed({}, '1000000000')).toBe(503)
    const lines = log.filter((line) => line.includes('inbox.unavailable'))
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'warn', reason: 'failed', thrown: { name: 'error', code: '42P01' } },
    ])
    expect(lines.join()).not.toMatch(/secret-|seen_events/)
    await rows.pool.query('ALTER TABLE seen_away RENAME TO seen_events')
    expect(await pushed({})).toBe(200)
  } finally {
    await rows.stop()
  }
})
