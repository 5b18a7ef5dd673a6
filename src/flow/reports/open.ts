import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database } from '../../platform/database/database.js'
import { describeForeignError, type Logger } from '../../platform/logger.js'
import type { OpenedReport, ReportQuestion, VendorAdapter } from '../vendor/adapter.js'
import type { OpenReport } from '../vendor/file-fetch.js'
import { createSemaphore } from '../vendor/semaphore.js'
import { createAsking } from './asking.js'
import { createFinder, type Found, type SentReport } from './find.js'

/**
 * The room `reports`: links to reports that end with their order.
 *
 * `sent-links` makes them when a stage or result leaves; this opens them for whoever brings one. Called by the public
 * door: `not_found` looks the same for what never was, what is wrong and what was erased; `expired` was good once. What
 * is `opened` has a body, which the caller reads or destroys; the signal ends it. Throws when the database does not answer.
 */
export interface Reports {
  open(token: string, asked: ReportQuestion, signal: AbortSignal): Promise<OpenedLink>
}

export type OpenedLink =
  | Exclude<Found, { kind: 'found' }>
  | { kind: 'answered'; deliveryId: string; name: string; answer: OpenedReport }

export interface ReportsOptions {
  database: Pick<Database, 'pool'>
  sealer: Sealer
  log: Logger
  /** Asked for when a report is. */
  vendor: () => Promise<VendorAdapter>
  /** For an adapter that does not open reports itself. */
  fetchFile: OpenReport
  now?: () => number
}

/** Of links that nobody knows to be good; more wait, so that guessing is slow and leaves the database to others. */
const mostLookedFor = 4

export function createReports(options: ReportsOptions): Reports {
  const { database, sealer, log, now = Date.now } = options
  const find = createFinder(database.pool, sealer, now)
  const asking = createAsking(now)
  const places = createSemaphore(mostLookedFor)
  const findInTurn = async (token: string, signal: AbortSignal): Promise<Found> => {
    const leave = await places.take(signal)
    try {
      return leave === null ? { kind: 'not_found' } : await find(token)
    } finally {
      leave?.()
    }
  }
  const openLatest = async (sent: SentReport, asked: ReportQuestion, signal: AbortSignal) => {
    const vendor = await adapterOf(options)
    const { report, kept } = await asking.latest(vendor, sent, signal)
    const open = vendor?.openReport?.bind(vendor) ?? options.fetchFile
    return { answer: await safely(log, () => open(report, asked, { signal })), kept }
  }
  return {
    open: async (token, asked, signal) => {
      const found = await findInTurn(token, signal)
      if (found.kind !== 'found') return found
      const { sent } = found
      const first = await openLatest(sent, asked, signal)
      const mayBeOld = first.answer.kind === 'gone' && first.kept
      if (mayBeOld) asking.forget(sent)
      const { answer } = mayBeOld ? await openLatest(sent, asked, signal) : first
      return { kind: 'answered', deliveryId: sent.deliveryId, name: sent.report.report_name, answer }
    },
  }
}

/** Without an adapter there is still the link that was sent. */
async function adapterOf({ vendor, log }: ReportsOptions): Promise<VendorAdapter | null> {
  try {
    return await vendor()
  } catch (failure) {
    log.warn({ event: 'report.no_adapter', err: failure }, 'the adapter cannot be loaded')
    return null
  }
}

/** What an adapter throws may quote the link. */
async function safely(log: Logger, open: () => Promise<OpenedReport>): Promise<OpenedReport> {
  try {
    return await open()
  } catch (thrown) {
    const line = { event: 'vendor.adapter_threw', verb: 'openReport', thrown: describeForeignError(thrown) }
    log.error(line, 'the adapter threw')
    return { kind: 'retry', message: 'the adapter threw in openReport', ambiguous: false }
  }
}
