import type { Overrides, Parts } from '../app.js'
import { startReconciliation } from '../flow/reconcile/start.js'
import type { FeishuAccess } from '../flow/to-feishu/access.js'
import { startFeishuSide } from '../flow/to-feishu/start.js'
import { startAlerts } from '../operate/alerts/start.js'
import type { Lifetime } from '../platform/lifetime.js'

/** All calls to Feishu, and the group that is told what stands still. */
export async function startSyncRole(
  parts: Parts,
  access: FeishuAccess,
  workers: Lifetime,
  overrides: Overrides,
): Promise<void> {
  await workers.start(startFeishuSide(parts, access))
  workers.add(startReconciliation(parts, overrides.sweeps))
  const alerts = startAlerts(parts, overrides.alerts)
  if (alerts) workers.add(alerts)
}
