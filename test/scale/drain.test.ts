import http from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { customers } from '../faults/kit/customers.js'
import { apiKey } from '../faults/kit/world.js'
import { eventually } from '../support/eventually.js'
import { type Fleet, startFleet } from './fleet.js'

let fleet: Fleet | undefined

afterEach(() => fleet?.stop())

/** Longer than any test: what waits for its end fails. */
const env = { BGC_DRAIN_MS: '300000', BGC_STOP_TIMEOUT_MS: '600000' }
const windows = [{ limit: 50, windowMs: 1000 }]

test('a receiver that was told to stop says so, and goes on taking events and questions, each on a connection that ends', async () => {
  fleet = await startFleet({ windows, env })
  const { feishu, read } = fleet
  const { process, url } = await fleet.start('receiver')
  const agent = new http.Agent({ keepAlive: true })
  expect(await ask(agent, `${url}/readyz`)).toEqual({ status: 200, connection: 'keep-alive' })
  process.signal('SIGTERM')
  await eventually(async () => (await ask(agent, `${url}/readyz`)).status).toBe(503)
  const [customer] = customers
  if (customer === undefined) throw new Error('no customer')
  feishu.setEventUrl(customer.appId, `${url}/webhooks/feishu/${customer.appId}/events`)
  const { event } = feishu.createAccount(customer)
  await feishu.untilAcknowledged(event.eventId)
  expect(event.attempts.map(({ httpStatus }) => httpStatus)).toEqual([200])
  expect(await read('SELECT state FROM events')).toEqual([{ state: 'new' }])
  expect(await ask(agent, `${url}/v1/orders`)).toEqual({ status: 200, connection: 'close' })
  expect(await ask(agent, `${url}/metrics`)).toEqual({ status: 200, connection: 'close' })
  agent.destroy()
  // Who asks once more does not wait.
  await eventually(() => {
    process.signal('SIGTERM')
    return Promise.race([process.exited.then(({ code }) => code), new Promise((resolve) => setTimeout(resolve, 100))])
  }).toBe(143)
})

test.each([
  ['at a terminal', 'receiver', 'SIGINT'],
  ['without the role receiver', 'poller,sync', 'SIGTERM'],
] as const)('a stop %s waits for nobody', async (_where, roles, signal) => {
  fleet = await startFleet({ windows, env })
  const { process } = await fleet.start(roles)
  process.signal(signal)
  expect(await process.exited).toEqual({ code: 0, signal: null })
})

function ask(agent: http.Agent, url: string): Promise<{ status: number | undefined; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${apiKey}` }
    const request = http.get(url, { agent, headers }, (response) => {
      const { statusCode: status, headers: answered } = response
      response.resume().on('end', () => resolve({ status, connection: answered.connection }))
    })
    request.on('error', reject)
  })
}
