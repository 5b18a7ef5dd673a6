import type { Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { forgetLane } from '../archived.js'
import { type FindingKind, flagDifference, noteFindings, settleGone } from '../findings.js'
import { laneOfOrder } from '../map.js'
import { lockOrder } from '../orders/receive.js'
import { lockLane } from '../outbox/lanes.js'
import { type FeishuOrder, orderStatus } from '../to-feishu/order-reads.js'
import { type Comparison, compareOrder } from './compare.js'
import { readKnownOrders } from './our-orders.js'
import { confirmDeliveries, type HeldOrder, type RepairOptions, sendAgain, turnOrder } from './repair.js'

export interface SettleOrderOptions extends RepairOptions {
  log: Logger
}

/** An order as Feishu's answer shows it, and what that answer can tell. */
export interface Reading {
  theirs: FeishuOrder
  certain: boolean
  quietSince: Date
  /** Whether the sweep that asked is still the one that may settle. */
  isMine: (sql: Sql) => Promise<boolean>
}

export interface SettledOrder {
  /** Buckets that got something to do. */
  buckets: number[]
  /** The vendor has to be told. */
  tellVendor: boolean
  /** What was mended, and what was noted for the first time. */
  repaired: FindingKind[]
  noted: FindingKind[]
}

/**
 * Compares one order under its locks, mends what is safe and lists the rest, in one transaction. `null`: nothing is known
 * of it any more, or another process took the sweep over.
 */
export async function settleOrder(
  sql: Sql,
  options: SettleOrderOptions,
  order: HeldOrder,
  reading: Reading,
): Promise<SettledOrder | null> {
  const { backgroundCheckId: id } = order
  const { closedBy } = await lockLane(sql, laneOfOrder(id))
  const row = await lockOrder(sql, id)
  if (row === null) {
    await forgetLane(sql, id)
    return null
  }
  if (!(await reading.isMine(sql))) return null
  const onClosed = (of: string, err: unknown) =>
    options.log.error({ event: 'sweep.cannot_open', background_check_id: of, err }, 'an order cannot be opened')
  const ours = (await readKnownOrders(sql, options.sealer, [id], reading.quietSince, onClosed)).get(id)
  if (ours === undefined) return null
  const comparison = compareOrder(ours, reading.theirs, reading.certain)
  return settle(sql, options, order, comparison, { closed: closedBy !== null, theirs: reading.theirs })
}

async function settle(
  sql: Sql,
  options: SettleOrderOptions,
  order: HeldOrder,
  { confirm, turn, revive, differences, undecided }: Comparison,
  { closed, theirs }: { closed: boolean; theirs: FeishuOrder },
): Promise<SettledOrder> {
  const settled: SettledOrder = { buckets: [], tellVendor: false, repaired: [], noted: [] }
  await confirmDeliveries(sql, order, confirm, theirs.status === orderStatus.completed)
  if (turn !== null) settled.tellVendor = await turnOrder(sql, options, order, turn)
  if (turn === 'canceled') settled.repaired.push('terminated_in_feishu')
  // An operator stopped it: what waited went, and nothing comes back.
  const sent = revive === null || closed ? null : await sendAgain(sql, options, order, revive)
  if (sent !== null && revive !== null) {
    settled.buckets = sent
    settled.repaired.push(revive.kind)
  }
  const still = sent === null ? differences : differences.filter((each) => each.subject !== revive?.subject)
  settled.noted = await noteFindings(
    sql,
    still.map((each) => ({ ...order, ...each })),
  )
  await settleGone(sql, order, still, undecided)
  await flagDifference(sql, order.backgroundCheckId)
  return settled
}

/** Whether a comparison asks for a transaction of its own. */
export function saysSomething({ confirm, turn, differences }: Comparison): boolean {
  return confirm.length > 0 || turn !== null || differences.length > 0
}
