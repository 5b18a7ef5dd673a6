import { afterEach, expect, test } from 'vitest'
import { workCheck } from '../../src/cli/doctor/work.js'
import { openDatabase } from '../../src/platform/database/database.js'
import { createLogger } from '../../src/platform/logger.js'
import { apps, customers } from '../faults/kit/customers.js'
import { callApi } from '../story/world.js'
import { eventually } from '../support/eventually.js'
import { type Fleet, metricOf, startFleet } from './fleet.js'

let fleet: Fleet | undefined

afterEach(() => fleet?.stop())

const crowd = 20
const windows = [{ limit: 5, windowMs: 1000 }]

test('what nobody does waits where operators see it, and is caught up when somebody comes: first no poller, then no sync, then a tenant with too much', async () => {
  fleet = await startFleet({ windows })
  const { feishu, vendor } = fleet
  vendor.setScenario(() => [{ afterMs: 1, result: { result: 'clear', reports: [{ name: 'f.pdf' }] } }])

  const receiver = await fleet.start('receiver')
  for (const { appId } of apps) feishu.setEventUrl(appId, `${receiver.url}/webhooks/feishu/${appId}/events`)
  const { busy, quiet } = await orderChecks(fleet)
  const events = feishu.events()
  expect(events.flatMap(({ attempts }) => attempts.map(({ httpStatus }) => httpStatus))).toEqual(events.map(() => 200))
  expect((await fetch(`${receiver.url}/readyz`)).status).toBe(200)
  expect(await metricOf(receiver, 'bgc_events_waiting')).toBe(events.length)
  expect(await metricOf(receiver, 'bgc_role_info', 'role="poller"')).toBe(0)
  expect(await listed(receiver.url, '/v1/events?state=new&limit=200')).toBe(events.length)
  expect(
    await doctorSays(fleet, 'UPDATE events SET due_at = due_at - $1::interval WHERE due_at IS NOT NULL'),
  ).toContain(`${events.length} events wait for ten minutes and more; check that a process with the role poller runs`)
  expect(vendor.orders()).toEqual([])

  const poller = await fleet.start('poller')
  await eventually(() => listed(receiver.url, '/v1/deliveries?state=pending&limit=200')).toBe(crowd + 1)
  expect(vendor.orders()).toHaveLength(crowd + 1)
  expect(feishu.calls()).toEqual([])
  expect((await fetch(`${receiver.url}/readyz`)).status).toBe(200)
  expect(await metricOf(poller, 'bgc_events_waiting')).toBe(0)
  expect(await metricOf(poller, 'bgc_deliveries_waiting_heads')).toBe(crowd + 1)
  expect(await metricOf(poller, 'bgc_buckets_unattended')).toBe(2)
  expect(
    await doctorSays(fleet, 'UPDATE deliveries SET due_at = due_at - $1::interval WHERE due_at IS NOT NULL'),
  ).toContain(
    '2 methods of tenants have calls to Feishu that nobody makes for ten minutes and more; check that a process with the role sync runs',
  )
  // A process counts anew for a scrape only after a while.
  await eventually(() => metricOf(receiver, 'bgc_buckets_unattended_seconds')).toBeGreaterThan(600)

  const sync = await fleet.start('sync')
  // The busy tenant's calls wait for its window; the other's does not wait for them.
  await eventually(() => feishu.order(quiet).status).toBe('completed')
  expect(busy.filter((id) => feishu.order(id).status !== 'completed').length).toBeGreaterThan(0)
  expect(
    await listed(receiver.url, `/v1/deliveries?state=pending&tenant_key=${customers[0]?.tenantKey}&limit=200`),
  ).toBeGreaterThan(0)
  await eventually(() => busy.filter((id) => feishu.order(id).status !== 'completed')).toEqual([])
  expect(feishu.checkPromises()).toEqual([])
  expect(await metricOf(sync, 'bgc_feishu_attempts_total', 'settled="delivered"')).toBe(crowd + 1)
  await eventually(() => doctorSays(fleet)).toBe('nothing is stuck')
}, 120_000)

/** Many checks of one customer, then one of another, all of them acknowledged. */
async function orderChecks({ feishu }: Fleet): Promise<{ busy: string[]; quiet: string }> {
  const [one, other] = customers
  if (one === undefined || other === undefined) throw new Error('no customers')
  const busyAccount = feishu.createAccount(one).accountId
  const quietAccount = feishu.createAccount(other).accountId
  const busy = Array.from(
    { length: crowd },
    () => feishu.createOrder({ ...one, accountId: busyAccount }).backgroundCheckId,
  )
  const quiet = feishu.createOrder({ ...other, accountId: quietAccount }).backgroundCheckId
  await eventually(() => feishu.events().every(({ acknowledged }) => acknowledged)).toBe(true)
  return { busy, quiet }
}

async function listed(url: string, path: string): Promise<number> {
  const { body } = await callApi(url, 'GET', path)
  const [items] = Object.values(body).filter((value) => Array.isArray(value))
  return items?.length ?? 0
}

/** After a quarter of an hour, if `age` makes one of what waits. */
async function doctorSays(of: Fleet | undefined, age?: string): Promise<string> {
  if (of === undefined) throw new Error('no fleet')
  const database = openDatabase({ url: of.databaseUrl, log: createLogger('silent') })
  try {
    if (age !== undefined) await database.pool.query(age, ['15 minutes'])
    // The check of what waits asks the database alone.
    const found = await workCheck.run({ database } as Parameters<typeof workCheck.run>[0])
    return found.map((each) => ('problem' in each ? `${each.problem}; ${each.remedy}` : each.detail)).join('\n')
  } finally {
    await database.stop()
  }
}
