import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { apps, customers } from '../faults/kit/customers.js'
import { apiKey } from '../faults/kit/world.js'
import { eventually } from '../support/eventually.js'
import { Balancer } from './balancer.js'
import { type Fleet, type Member, startFleet } from './fleet.js'

const cleanups: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Far below the usual drain time, also on a busy machine, and as far above nothing as in a cluster. */
const terms = { everyMs: 100, failures: 3, learnsAfterMs: 200 }
/** The usual one, which `startProcess` takes away. */
const env = { BGC_DRAIN_MS: '5000' }

test('while each process in turn is told to stop and another starts, every event is answered 200 when it first comes, and so is every question to /v1', async () => {
  const fleet = await startFleet({ windows: [{ limit: 50, windowMs: 1000 }], env })
  cleanups.push(() => fleet.stop())
  const balancer = await Balancer.start(terms)
  cleanups.push(() => balancer.stop())
  const members = await Promise.all(['receiver', 'receiver', 'poller,sync'].map((roles) => fleet.start(roles)))
  await Promise.all(members.filter(isReceiver).map(({ url }) => balancer.add(url)))
  const load = startLoad(fleet, balancer.url)
  cleanups.push(() => load.stop())
  for (const member of members) {
    const before = load.seen()
    const replaced = replace(fleet, member.roles, balancer)
    expect(await member.process.stop()).toBe(0)
    balancer.remove(member.url)
    await replaced
    // There was load, and it was felt by those who stayed.
    await eventually(() => load.seen() - before).toBeGreaterThan(20)
  }
  const { answers, checks } = await load.stop()
  expect(balancer.mishaps).toEqual([])
  // A process that leaves says so to those who still come to it.
  answers.delete('/readyz 503')
  expect([...answers].toSorted()).toEqual(['/readyz 200', '/v1/orders?limit=1 200'])
  // Once each: Feishu had nothing to send again.
  const pushes = fleet.feishu.events().map(({ attempts }) => attempts.map((each) => each.httpStatus ?? each.outcome))
  expect(pushes.filter((answers) => answers.join() !== '200')).toEqual([])
  expect(pushes.length).toBeGreaterThan(60)
  await eventually(() => fleet.feishu.orders().filter(({ status }) => status === 'completed').length).toBe(checks)
  expect(fleet.feishu.checkPromises()).toEqual([])
}, 180_000)

/** Another one starts while the first one ends. */
async function replace(fleet: Fleet, roles: string, balancer: Balancer): Promise<void> {
  const next = await fleet.start(roles)
  if (isReceiver(next)) await balancer.add(next.url)
}

function isReceiver({ roles }: Member): boolean {
  return roles === 'receiver'
}

/** Customers who order checks, and operators who look, without a pause between. */
function startLoad({ feishu, vendor }: Fleet, url: string) {
  vendor.setScenario(() => [
    { afterMs: 10, stage: { id: 'one', name: 'one' } },
    { afterMs: 10, result: { result: 'clear', reports: [{ name: 'f.pdf' }] } },
  ])
  for (const { appId } of apps) feishu.setEventUrl(appId, `${url}/webhooks/feishu/${appId}/events`)
  const accounts = customers.map((customer) => ({ ...customer, accountId: feishu.createAccount(customer).accountId }))
  const agent = new http.Agent({ keepAlive: true })
  const answers = new Set<string>()
  let isOver = false
  let checks = 0
  // Each waits for the answer to the one before, so that a machine that is slow gets less.
  const ordering = accounts.map(async (customer) => {
    while (!isOver) {
      checks += 1
      const { event } = feishu.createOrder(customer)
      while (event.attempts[0]?.endedAt === undefined) await sleep(10)
      await sleep(100)
    }
  })
  const looking = ['/v1/orders?limit=1', '/readyz'].map(async (path) => {
    while (!isOver) {
      const status = await ask(`${url}${path}`, agent)
      answers.add(`${path} ${status}`)
      await sleep(30)
    }
  })
  return {
    seen: () => checks,
    stop: async () => {
      isOver = true
      await Promise.all([...ordering, ...looking])
      agent.destroy()
      return { answers, checks }
    },
  }
}

function ask(url: string, agent: http.Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent, headers: { authorization: `Bearer ${apiKey}` } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    request.on('error', reject)
  })
}
