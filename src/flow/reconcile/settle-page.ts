import type { Database } from '../../platform/database/database.js'
import { archivedAmong } from '../archived.js'
import { type FindingKind, type FindingToNote, flagDifference, noteFindings, settleGone } from '../findings.js'
import { laneOfOrder } from '../map.js'
import { makeSure } from '../outbox/unsure.js'
import { type FeishuOrder, orderStatus } from '../to-feishu/order-reads.js'
import { compareOrder } from './compare.js'
import { type KnownOrder, readKnownOrders } from './our-orders.js'
import { showsNothingElse } from './restored.js'
import { type SettledOrder, type SettleOrderOptions, saysSomething, settleOrder } from './settle-order.js'
import { type ClaimedSweep, type Counts, holdsSweep } from './sweeps.js'

export interface SettlePageOptions extends SettleOrderOptions {
  database: Database
  /** What changed here so shortly before the question is not judged by its answer, in ms. */
  quietMs: number
  onSettled: (settled: SettledOrder) => void
  onFailure?: (name: string) => void
}

/** One answer of Feishu, and what it was asked for. */
export interface Page {
  orders: readonly FeishuOrder[]
  /** Events about what changed in Feishu until then would have come, in ms. */
  certainUntil: number
  /** Orders that began before nobody here knew of are no loss, in ms. */
  knownSince: number
}

/** Writes down what one answer shows. Read twice it changes nothing the second time. */
export async function settlePage(
  options: SettlePageOptions,
  sweep: ClaimedSweep,
  providers: ReadonlySet<string>,
  page: Page,
): Promise<Omit<Counts, 'pages'>> {
  const { database, sealer, log, quietMs } = options
  const orders = [...new Map(page.orders.map((order) => [order.id, order])).values()]
  const ids = orders.map((order) => order.id)
  const quietSince = new Date(sweep.now.getTime() - quietMs)
  const onClosed = (of: string, err: unknown) =>
    log.error({ event: 'sweep.cannot_open', background_check_id: of, err }, 'an order cannot be opened')
  const known = await readKnownOrders(database.pool, sealer, ids, quietSince, onClosed)
  const standing = await standingOf(database, sweep, ids)
  const counts = { orders: orders.length, compared: 0, others: 0, found: 0, repaired: 0 }
  const lost: FeishuOrder[] = []
  const sure: string[] = []
  for (const theirs of orders) {
    const ours = known.get(theirs.id)
    if (ours === undefined) {
      if (theirs.provider !== null && providers.has(theirs.provider)) lost.push(theirs)
      else counts.others += 1
      continue
    }
    // Two apps of one tenant see each other's orders.
    if (!isOf(ours, sweep)) continue
    counts.compared += 1
    if (ours.unsure && showsNothingElse(ours, theirs)) sure.push(laneOfOrder(theirs.id))
    const certain = theirs.updatedAt !== null && theirs.updatedAt <= page.certainUntil
    if (!standing.has(theirs.id) && !saysSomething(compareOrder(ours, theirs, certain))) continue
    const settled = await settleAlone(options, sweep, { theirs, certain, quietSince })
    counts.found += settled?.noted.length ?? 0
    counts.repaired += settled?.repaired.length ?? 0
  }
  await makeSure(database.pool, sure)
  counts.found += (await settleLost(options, sweep, lost, page, standing)).length
  return counts
}

function isOf(order: KnownOrder, { appId, tenantKey }: ClaimedSweep): boolean {
  return order.appId === appId && order.tenantKey === tenantKey
}

/** Orders with differences that last. */
async function standingOf({ pool }: Database, { appId, tenantKey }: ClaimedSweep, ids: readonly string[]) {
  const found = await pool.query<{ background_check_id: string }>(
    `SELECT DISTINCT background_check_id FROM findings
     WHERE background_check_id = ANY($1) AND app_id = $2 AND tenant_key = $3 AND settled_at IS NULL`,
    [ids, appId, tenantKey],
  )
  return new Set(found.rows.map((row) => row.background_check_id))
}

/** One order that cannot be written down must not stop the comparison of the others: the next sweep comes to it again. */
async function settleAlone(
  options: SettlePageOptions,
  sweep: ClaimedSweep,
  reading: { theirs: FeishuOrder; certain: boolean; quietSince: Date },
): Promise<SettledOrder | null> {
  const { appId, tenantKey } = sweep
  const order = { appId, tenantKey, backgroundCheckId: reading.theirs.id }
  try {
    const settled = await options.database.transaction((sql) =>
      settleOrder(sql, options, order, { ...reading, isMine: (locked) => holdsSweep(locked, sweep) }),
    )
    if (settled !== null) options.onSettled(settled)
    return settled
  } catch (err) {
    options.onFailure?.('sweep-order')
    options.log.error({ event: 'sweep.order_failed', background_check_id: reading.theirs.id, err }, 'not compared')
    return null
  }
}

/** Orders of ours in Feishu that we do not know: listed, as the list lacks what an order is placed with. */
async function settleLost(
  { database, onSettled }: SettlePageOptions,
  sweep: ClaimedSweep,
  orders: readonly FeishuOrder[],
  { certainUntil, knownSince }: Page,
  standing: ReadonlySet<string>,
): Promise<FindingKind[]> {
  const { appId, tenantKey } = sweep
  const isLost = (order: FeishuOrder) =>
    !isClosed(order) &&
    order.updatedAt !== null &&
    order.updatedAt <= certainUntil &&
    (order.beganAt === null || order.beganAt >= knownSince)
  const seeming = orders.filter(isLost)
  const archived = await archivedAmong(
    database.pool,
    seeming.map((order) => order.id),
  )
  const lost = seeming.filter((order) => !archived.has(order.id)).map((order) => lostOf(order, sweep))
  // What has ended in Feishu meanwhile needs nobody any more.
  const ended = orders.filter((each) => standing.has(each.id) && isClosed(each))
  if (lost.length === 0 && ended.length === 0) return []
  return database.transaction(async (sql) => {
    if (!(await holdsSweep(sql, sweep))) return []
    const noted = await noteFindings(sql, lost)
    for (const { id } of ended) await settleGone(sql, { appId, tenantKey, backgroundCheckId: id }, [], [])
    onSettled({ buckets: [], tellVendor: false, repaired: [], noted })
    return noted
  })
}

function isClosed({ status }: FeishuOrder): boolean {
  return status === orderStatus.completed || status === orderStatus.terminated
}

function lostOf({ id, status, beganAt, updatedAt }: FeishuOrder, { appId, tenantKey }: ClaimedSweep): FindingToNote {
  const times = { ...(beganAt !== null && { began_at: beganAt }), ...(updatedAt !== null && { updated_at: updatedAt }) }
  return {
    kind: 'created_event_lost',
    appId,
    tenantKey,
    backgroundCheckId: id,
    detail: { ...(status !== null && { order_status: status }), ...times },
  }
}

/**
 * Orders that were asked for by their ids, in an answer that has others of ours: Feishu has no such check any more, or
 * shows it to this app no more.
 */
export async function settleMissing(
  { database, onSettled }: SettlePageOptions,
  sweep: ClaimedSweep,
  ids: readonly string[],
): Promise<FindingKind[]> {
  const { appId, tenantKey } = sweep
  const all: FindingKind[] = []
  for (const backgroundCheckId of ids) {
    const noted = await database.transaction(async (sql) => {
      const known = await sql.query('SELECT 1 FROM orders WHERE background_check_id = $1 FOR UPDATE', [
        backgroundCheckId,
      ])
      if (!(await holdsSweep(sql, sweep))) return []
      const of = { appId, tenantKey, backgroundCheckId }
      if (known.rowCount === 0) {
        await settleGone(sql, of, [], [])
        return []
      }
      const found = await noteFindings(sql, [{ ...of, kind: 'missing_in_feishu' }])
      await flagDifference(sql, backgroundCheckId)
      return found
    })
    all.push(...noted)
  }
  if (all.length > 0) onSettled({ buckets: [], tellVendor: false, repaired: [], noted: all })
  return all
}
