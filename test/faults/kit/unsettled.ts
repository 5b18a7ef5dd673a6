import type { Check, Customers } from './customers.js'
import type { World } from './world.js'

const manyAtMost = 20

/** What is still under way, in words; empty when everything has come to its end, in Feishu, at the vendor and here. */
export async function unsettled(world: World, customers: Customers): Promise<string[]> {
  const abroad = customers.checks.flatMap((check) => openInFeishu(world, check) ?? [])
  const pushes = customers.busy > 0 ? [`${customers.busy} events are not acknowledged`] : []
  // Asked only when the rest is done, since each question is a connection.
  if (abroad.length > 0 || pushes.length > 0) return [...pushes, ...abroad].slice(0, manyAtMost)
  try {
    return await openHere(world)
  } catch (failure) {
    return [`the database does not answer: ${String(failure)}`]
  }
}

function openInFeishu({ feishu }: World, { id, plan, canceledInFeishu }: Check): string | undefined {
  const { status } = feishu.order(id)
  const expected = canceledInFeishu || plan.end === 'vendor stops' ? 'terminated' : 'completed'
  return status === expected ? undefined : `${id}: ${status} in Feishu, expected ${expected}`
}

async function openHere(world: World): Promise<string[]> {
  const rows = await world.read<{ what: string }>(
    `SELECT 'event ' || id || ' is ' || state AS what FROM events WHERE state = 'new'
     UNION ALL SELECT 'delivery ' || id || ' is ' || state FROM deliveries WHERE state IN ('pending', 'sending')
     UNION ALL SELECT 'task ' || subject || ' waits: ' || action FROM vendor_tasks
     UNION ALL SELECT 'order ' || background_check_id || ' is ' || state FROM orders
       WHERE state NOT IN ('completed', 'canceled', 'failed')
     LIMIT ${manyAtMost}`,
  )
  return rows.map(({ what }) => what)
}
