import { afterEach, expect, it } from 'vitest'
import { freePort } from '../support/free-port.js'
import { startWorld, type World } from './world.js'

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
