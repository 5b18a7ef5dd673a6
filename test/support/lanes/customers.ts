import { receiveOrder } from '../../../src/flow/orders/receive.js'
import type { RateWindow } from '../../../src/platform/limiter/limiter.js'
import { type SandboxApp, type SandboxFeishu, startSandboxFeishu } from '../../../src/sandbox/index.js'
import type { Ground } from '../room.js'
import type { LanePlan, WorldPlan } from './plan.js'

/** An order and what came of its plan. */
export interface Lane {
  id: string
  origin: { appId: string; tenantKey: string }
  plan: LanePlan
  canceledInFeishu: boolean
  revived: Set<string>
}

export const apps: SandboxApp[] = ['a', 'b', 'c'].map((name) => ({
  appId: `cli_lanes_${name}`,
  appSecret: `secret-${name}`,
  appType: 'custom',
  encryptKey: `encrypt-${name}`,
  verificationToken: `verify-${name}`,
}))
const customers = apps.map(({ appId }) => ({ appId, tenantKey: `tk_of_${appId}` }))

const wide: RateWindow[] = [{ limit: 10_000, windowMs: 1000 }]
const tight: RateWindow[] = [
  { limit: 6, windowMs: 60 },
  { limit: 40, windowMs: 600 },
]

export function windowsOf(plan: WorldPlan): readonly RateWindow[] {
  return plan.windows === 'tight' ? tight : wide
}

/** A Feishu with three customers; the last one's results wait for an administrator. */
export function startFeishu(plan: WorldPlan): Promise<SandboxFeishu> {
  const windows = windowsOf(plan)
  return startSandboxFeishu({
    apps,
    tenants: customers.map(({ appId, tenantKey }, index) => ({
      tenantKey,
      appIds: [appId],
      reportApproval: index === 2,
    })),
    switches: plan.switches,
    rateLimits: windows,
    slowRateLimits: windows,
  })
}

/** An order that the vendor has. */
export async function placeOrder({ database, sealer }: Ground, feishu: SandboxFeishu, plan: LanePlan): Promise<Lane> {
  const origin = customers[plan.customer]
  if (origin === undefined) throw new Error('no such customer')
  const { backgroundCheckId: id } = feishu.createOrder({ ...origin, accountId: '1', hold: true })
  const none = { additionalItemIds: [], candidate: {}, contact: {}, customFields: {}, comment: '' }
  const order = { backgroundCheckId: id, accountId: '1', tenantKey: origin.tenantKey, packageId: 'p', ...none }
  await database.transaction(async (sql) => {
    await receiveOrder(sql, sealer, origin, order)
    await sql.query('DELETE FROM vendor_tasks WHERE subject = $1', [`order:${id}`])
    await sql.query(
      `UPDATE orders SET state = 'ordered', vendor_order_id = 'V-' || $1 WHERE background_check_id = $1`,
      [id],
    )
  })
  return { id, origin, plan, canceledInFeishu: false, revived: new Set() }
}
