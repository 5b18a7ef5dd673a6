import { isOfValues } from '../../platform/database/of-values.js'
import type { Logger } from '../../platform/logger.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import { settleKnown } from '../findings.js'
import type { FeishuReads } from '../to-feishu/reads.js'
import { type Answer, askForOrders, askForPage, mostIds } from './ask.js'
import { doubtedOrders, knownSince, ordersToProbe } from './our-tenant.js'
import { releaseRestored } from './restored.js'
import { type SettlePageOptions, settleMissing, settlePage } from './settle-page.js'
import { type ClaimedSweep, type Counts, claimSweep, endTurn, enrol, type Progress, type Turn } from './sweeps.js'
import type { SweepTerms } from './terms.js'

/**
 * The room `reconcile`: compares Feishu's own lists of orders with ours, mends what is safe and lists the rest.
 *
 * A sweep of one tenant is a chain of short turns, each one question to Feishu, its settlement, and the place to go on
 * from. A turn is taken under a lease, so that one process at a time sweeps a tenant; a turn that a crash cut off is taken
 * again, and changes nothing that it changed before. Turns go by due time, so that a tenant with many pages holds up
 * nobody, and questions have buckets of their own, so that nothing that is sent waits for them.
 */
export interface SweeperOptions extends Omit<SettlePageOptions, 'quietMs'> {
  log: Logger
  reads: FeishuReads
  apps: readonly string[]
  terms: SweepTerms
  /** Longest time of one question, in ms. */
  timeoutMs: number
  random: () => number
  onTurn?: (outcome: SweepOutcome) => void
  onFailure?: (name: string) => void
}

/** What became of a turn: gone on, whole, not allowed to read, no answer, no slot. */
export type SweepOutcome = 'page' | 'finished' | 'unreadable' | 'no_answer' | 'no_slot'

const settleMs = 60_000

export function startSweeper(options: SweeperOptions): Loop {
  const { database, terms, apps, log } = options
  let enrolledAt = Number.NEGATIVE_INFINITY
  return startLoop({
    name: 'sweeps',
    everyMs: terms.scanMs,
    log,
    ...(options.onFailure && { onFailure: options.onFailure }),
    turn: async () => {
      if (performance.now() - enrolledAt >= terms.enrolMs) {
        await enrol(database.pool, terms.everyMs)
        await settleKnown(database.pool)
        enrolledAt = performance.now()
      }
      const sweep = await claimSweep(database.pool, apps, 2 * options.timeoutMs + settleMs)
      if (sweep === null) return terms.scanMs
      const { outcome, turn } = await takeWholeTurn(options, sweep)
      report(options, sweep, outcome, turn)
      return 0
    },
  })
}

interface Taken {
  outcome: SweepOutcome
  turn: Turn
}

/**
 * An answer with values that PostgreSQL does not take must not hold the sweep until its lease ends, again and again, with
 * nothing to see.
 */
async function takeWholeTurn(options: SweeperOptions, sweep: ClaimedSweep): Promise<Taken> {
  const end = async (taken: Taken) => {
    if (sweep.restored && taken.outcome === 'finished') await endHold(options, sweep, taken.turn)
    else await endTurn(options.database.pool, sweep, taken.turn)
    return taken
  }
  try {
    return await end(await takeTurn(options, sweep))
  } catch (failure) {
    if (!isOfValues(failure)) throw failure
    return end(noAnswer(options, sweep, 'Feishu answered something that cannot be written down', null))
  }
}

/** The first whole sweep after the database was restored. */
async function endHold(options: SweeperOptions, sweep: ClaimedSweep, turn: Turn): Promise<void> {
  const buckets = await options.database.transaction(async (sql) => {
    const freed = await releaseRestored(sql, sweep)
    await endTurn(sql, sweep, turn)
    return freed
  })
  if (buckets === null) return
  const { appId: app_id, tenantKey: tenant_key } = sweep
  options.log.info(
    { event: 'restore.released', app_id, tenant_key },
    'orders were compared after a restore: sending goes on',
  )
  options.onSettled({ buckets, tellVendor: false, repaired: [], noted: [] })
}

/** What a restore lost, no event will tell; and while nothing is sent, nothing is too new to be judged. */
function termsOf({ terms }: SweeperOptions, { restored }: ClaimedSweep): SweepTerms {
  return restored ? { ...terms, certainAfterMs: 0, quietMs: 0 } : terms
}

function takeTurn(options: SweeperOptions, sweep: ClaimedSweep): Promise<Taken> {
  const { progress } = sweep
  if (progress === null) return begin(options, sweep)
  return progress.step === 'list' ? listPage(options, sweep, progress) : askDoubted(options, sweep, progress)
}

const nothing: Counts = { pages: 0, orders: 0, compared: 0, others: 0, found: 0, repaired: 0 }

/**
 * The first question is for orders of ours: whether they can be read, and who we are in a list that holds the orders of
 * every provider. From the moment that this is known, orders from before are compared, too.
 */
async function begin(options: SweeperOptions, sweep: ClaimedSweep): Promise<Taken> {
  const { database, reads } = options
  const terms = termsOf(options, sweep)
  const to = sweep.now.getTime() - terms.certainAfterMs
  const windowFrom = async (isNew: boolean) => {
    const earliest = Math.max(await knownSince(database.pool, sweep), sweep.now.getTime() - terms.lookBackMs)
    // The list moves while it is paged, and a page may pass an order over: each is listed by two sweeps.
    return isNew ? earliest : Math.max(earliest, (sweep.sweptUntil?.getTime() ?? 0) - terms.everyMs)
  }
  const start = async (isNew: boolean): Promise<Progress> => {
    const from = Math.min(await windowFrom(isNew), to)
    return { step: 'list', startedAt: sweep.now.getTime(), from, to, pageToken: '', after: '', counts: nothing }
  }
  const ids = await ordersToProbe(database.pool, sweep, new Date(sweep.now.getTime() - terms.quietMs), mostIds)
  if (ids.length === 0) return goOn(options, await start(sweep.sweptUntil === null))
  const answer = await askForOrders(reads, sweep, ids)
  if (answer.kind !== 'page') return withoutPage(options, sweep, answer, null)
  const seen = answer.page.orders.filter((order) => ids.includes(order.id))
  // Feishu itself gave us these orders: a list without any of them is not ours, or its ids are others.
  if (seen.length === 0) return unreadable(options, 'the list lacks every order that Feishu gave us')
  const providers = new Set([...sweep.providers, ...seen.flatMap((order) => order.provider ?? [])])
  const progress = await start(sweep.sweptUntil === null || (sweep.providers.length === 0 && providers.size > 0))
  return goOn(options, progress, { permission: { is: 'readable' }, providers: [...providers] })
}

async function listPage(options: SweeperOptions, sweep: ClaimedSweep, progress: Progress): Promise<Taken> {
  const { database, reads } = options
  const answer = await askForPage(reads, sweep, progress)
  // A place in the list that is no longer there is not a right that is missing: the list is read from its begin.
  if (answer.kind === 'unreadable' && progress.pageToken !== '' && answer.code === 1002002) {
    return noAnswer(options, sweep, 'Feishu does not know the page any more', null)
  }
  if (answer.kind !== 'page') return withoutPage(options, sweep, answer, progress)
  const { orders, hasMore, nextToken } = answer.page
  // Without a place to go on from, what is behind it would never be compared.
  if (hasMore && (nextToken === '' || nextToken === progress.pageToken)) {
    return noAnswer(options, sweep, 'Feishu has more and names no next page', null)
  }
  const page = { orders, certainUntil: progress.to, knownSince: await knownSince(database.pool, sweep) }
  const counted = await settlePage(pageOptions(options, sweep), sweep, new Set(sweep.providers), page)
  const counts = add(progress.counts, { ...counted, pages: 1 })
  const next: Progress = hasMore
    ? { ...progress, pageToken: nextToken, counts }
    : { ...progress, step: 'doubted', counts }
  return goOn(options, next, { permission: { is: 'readable' } })
}

/** Orders of which the list need not speak, since nothing changed there: they are asked for by their ids. */
async function askDoubted(options: SweeperOptions, sweep: ClaimedSweep, progress: Progress): Promise<Taken> {
  const { database, reads, terms } = options
  const since = new Date(sweep.now.getTime() - terms.lookBackMs)
  const seenBefore = new Date(progress.startedAt)
  const ids = await doubtedOrders(database.pool, sweep, { after: progress.after, since, seenBefore, limit: mostIds })
  if (ids.length === 0) return finish(options, progress)
  const answer = await askForOrders(reads, sweep, ids)
  if (answer.kind !== 'page') return withoutPage(options, sweep, answer, progress)
  const orders = answer.page.orders.filter((order) => ids.includes(order.id))
  const page = { orders, certainUntil: progress.to, knownSince: await knownSince(database.pool, sweep) }
  const counted = await settlePage(pageOptions(options, sweep), sweep, new Set(sweep.providers), page)
  const missing = ids.filter((id) => !orders.some((order) => order.id === id))
  const noted = await settleMissing(pageOptions(options, sweep), sweep, missing)
  const counts = add(progress.counts, { ...counted, pages: 1, found: counted.found + noted.length })
  return goOn(options, { ...progress, after: ids.at(-1) ?? '', counts })
}

function pageOptions(options: SweeperOptions, sweep: ClaimedSweep): SettlePageOptions {
  return { ...options, quietMs: termsOf(options, sweep).quietMs }
}

function add(one: Counts, other: Counts): Counts {
  return {
    pages: one.pages + other.pages,
    orders: one.orders + other.orders,
    compared: one.compared + other.compared,
    others: one.others + other.others,
    found: one.found + other.found,
    repaired: one.repaired + other.repaired,
  }
}

function goOn({ terms }: SweeperOptions, progress: Progress, more: Partial<Turn> = {}): Taken {
  return { outcome: 'page', turn: { inMs: terms.restMs, progress, ...more } }
}

function finish({ terms, random }: SweeperOptions, { to, counts }: Progress): Taken {
  const inMs = terms.everyMs * (0.75 + random() / 2)
  return { outcome: 'finished', turn: { inMs, progress: null, finished: { sweptUntil: new Date(to), counts } } }
}

function unreadable({ terms, random }: SweeperOptions, reason: string): Taken {
  const inMs = terms.unreadableMs * (0.9 + random() / 5)
  return { outcome: 'unreadable', turn: { inMs, progress: null, permission: { is: 'unreadable', reason } } }
}

function withoutPage(
  options: SweeperOptions,
  sweep: ClaimedSweep,
  answer: Exclude<Answer, { kind: 'page' }>,
  progress: Progress | null,
): Taken {
  if (answer.kind === 'unreadable') return unreadable(options, answer.reason)
  if (answer.kind === 'no_slot') return { outcome: 'no_slot', turn: { inMs: answer.inMs, progress } }
  return noAnswer(options, sweep, answer.error, progress, answer.inMs)
}

function noAnswer(
  { terms, random }: SweeperOptions,
  { failures }: ClaimedSweep,
  error: string,
  progress: Progress | null,
  atLeastMs = 0,
): Taken {
  const backoffMs = Math.min(terms.everyMs, terms.retryMs * 2 ** Math.min(failures, 16)) * (0.75 + random() / 2)
  return { outcome: 'no_answer', turn: { inMs: Math.max(atLeastMs, backoffMs), progress, error } }
}

function report({ log, onTurn }: SweeperOptions, sweep: ClaimedSweep, outcome: SweepOutcome, turn: Turn): void {
  onTurn?.(outcome)
  const { permission, error, finished } = turn
  const reason = permission?.is === 'unreadable' ? permission.reason : error
  const line = {
    event: 'sweep.turn',
    app_id: sweep.appId,
    tenant_key: sweep.tenantKey,
    outcome,
    ...(reason !== undefined && { reason }),
    ...finished?.counts,
  }
  const level = outcome === 'finished' ? 'info' : outcome === 'unreadable' || outcome === 'no_answer' ? 'warn' : 'debug'
  log[level](line, `a sweep of Feishu's orders: ${outcome}`)
}
