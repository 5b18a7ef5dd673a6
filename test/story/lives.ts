import { expect } from 'vitest'
import { forEachAtOnce } from '../../src/platform/at-once.js'
import { type PushAttempt, type SandboxFeishu, until } from '../../src/sandbox/index.js'
import { customApp, storeApp, type World } from './world.js'

/** What a story needs to know: both sides, and the operators' door for what it shows when it fails. */
export type Scene = Pick<World, 'feishu' | 'vendor' | 'api'>

/** What happens to a check, told from the outside. */
export type Life = 'plain' | 'stages' | 'no stages' | 'canceled early' | 'canceled late' | 'vendor stops'

export interface Customer {
  appId: string
  tenantKey: string
}

export const customers: Customer[] = [
  { appId: customApp.appId, tenantKey: 'tk_custom' },
  { appId: storeApp.appId, tenantKey: 'tk_store_a' },
  { appId: storeApp.appId, tenantKey: 'tk_store_b' },
]

export const everyLife: Life[] = ['plain', 'stages', 'no stages', 'canceled early', 'canceled late', 'vendor stops']

export interface LivedOrder {
  id: string
  life: Life
}

/** Orders checks for every customer and sends `copies` of each event at once. */
export async function orderChecks(world: Scene, lives: readonly Life[], copies = 1): Promise<LivedOrder[]> {
  const accounts = customers.map((customer) => ({ ...customer, ...world.feishu.createAccount(customer) }))
  const orders = lives.map((life, index) => {
    const account = accounts[index % accounts.length]
    if (account === undefined) throw new Error('no account')
    const { appId, tenantKey, accountId } = account
    const made = world.feishu.createOrder({ appId, tenantKey, accountId, hold: true })
    return { id: made.backgroundCheckId, life, eventId: made.event.eventId }
  })
  // All at once, they would ask whether the machine is fast enough for Feishu's three seconds.
  await forEachAtOnce(orders, 20, ({ eventId }) => deliver(world.feishu, eventId, copies))
  return orders.map(({ id, life }) => ({ id, life }))
}

/** Copies of an event at once, and one more until it is acknowledged: a machine that stood still answers 503, as it should. */
export async function deliver(feishu: SandboxFeishu, eventId: string, copies = 1): Promise<void> {
  const attempts = await feishu.sendCopies(eventId, copies)
  const isLate = ({ outcome, httpStatus }: PushAttempt) => outcome === 'timeout' || httpStatus === 503
  expect(attempts.filter((attempt) => attempt.outcome !== 'acknowledged' && !isLate(attempt))).toEqual([])
  const heard = async () => (await feishu.redeliver(eventId)).outcome === 'acknowledged'
  if (attempts.some(isLate)) await until(`${eventId} acknowledged`, heard, { timeoutMs: 20_000, everyMs: 50 })
}

/** Lets one check live to its end in Feishu. */
export async function live(world: Scene, { id, life }: LivedOrder): Promise<void> {
  const { feishu, vendor } = world
  if (life === 'canceled early') {
    feishu.cancelOrder(id)
    return
  }
  await until(`${id} at the vendor`, () => vendor.orderCount(id) > 0, { timeoutMs: 90_000 })
  if (life !== 'no stages') vendor.addStage(id, { id: 'st-1', name: '身份核验', en_name: 'Identity verified' })
  if (life === 'canceled late') {
    await until(`${id}: a stage in Feishu`, () => feishu.order(id).stages.length > 0, { timeoutMs: 90_000 })
    feishu.cancelOrder(id)
    return
  }
  if (life === 'stages')
    vendor.addStage(id, { id: 'st-2', name: '学历核实', result: '通过', reports: [{ name: 'stage.pdf' }] })
  if (life === 'vendor stops') vendor.stopOrder(id)
  else vendor.complete(id, { result: '无差异', reports: [{ name: 'final.pdf' }] })
}

const ends: Record<Life, string> = {
  plain: 'completed',
  stages: 'completed',
  'no stages': 'completed',
  'canceled early': 'terminated',
  'canceled late': 'terminated',
  'vendor stops': 'terminated',
}

/** Waits until every check has come to its end in the sandbox Feishu and at the vendor, and nothing is under way. */
export async function untilEnded(world: Scene, orders: readonly LivedOrder[], timeoutMs = 40_000): Promise<void> {
  for (const order of orders) {
    const ended = () => endOf(world.feishu, order.id) === ends[order.life]
    const what = `${order.id} (${order.life}) ${ends[order.life]}`
    await until(what, ended, { timeoutMs }).catch(async (late: Error) => {
      const { body } = await world.api('GET', `/v1/orders/${order.id}`)
      throw new Error(
        `${late.message}; Feishu has ${JSON.stringify(world.feishu.order(order.id))}; here ${JSON.stringify(body)}`,
      )
    })
  }
}

/** A result that waits for an administrator is approved on the way. */
function endOf(feishu: SandboxFeishu, id: string): string {
  if (feishu.order(id).status === 'in_approval') feishu.approve(id)
  return feishu.order(id).status
}

/** The calls that each life has to make, and no others. */
export function expectExactCalls(world: Scene, orders: readonly LivedOrder[]): void {
  for (const { id, life } of orders) {
    const order = world.feishu.order(id)
    const applied = world.feishu.calls({ backgroundCheckId: id, applied: true }).map((call) => call.api)
    expect({ id, life, applied, stages: order.stages.map((stage) => stage.stageId) }).toEqual({
      id,
      life,
      ...expected(life),
    })
    expect(world.vendor.orderCount(id)).toBeLessThanOrEqual(1)
  }
}

function expected(life: Life): { applied: unknown; stages: unknown } {
  switch (life) {
    case 'plain':
      return { applied: ['update_progress', 'update_result'], stages: ['st-1'] }
    case 'stages':
      return { applied: ['update_progress', 'update_progress', 'update_result'], stages: ['st-1', 'st-2'] }
    case 'no stages':
      return { applied: ['update_result'], stages: [] }
    case 'canceled early':
      return { applied: [], stages: [] }
    case 'canceled late':
      return { applied: ['update_progress'], stages: ['st-1'] }
    case 'vendor stops':
      return { applied: ['update_progress', 'update_progress', 'cancel'], stages: ['st-1', 'terminated'] }
  }
}
