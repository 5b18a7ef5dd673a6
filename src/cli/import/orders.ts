import { addToAudit } from '../../flow/audit.js'
import { checkImport, type Imported, importOrder } from '../../flow/orders/import.js'
import { userOfCommand } from '../user.js'
import type { CommandParts } from '../with-database.js'
import { type Line, readLines } from './lines.js'
import { type Issue, type ReadOrder, readOrderLine } from './order-line.js'

/** What became of the lines of a file. A line with several complaints stands in `refused` once for each. */
export interface ImportReport {
  imported: number
  existing: number
  refused: Array<Issue & { line: number }>
}

export interface ImportOptions {
  dryRun: boolean
  /** Called now and then with the number of lines that are done. */
  onProgress?: (lines: number) => void
}

type Item = { number: number; read: ReadOrder }

const atOnce = 4

/**
 * Imports a file of orders, one JSON object in each line. Each order is a transaction of its own: after a crash the same
 * file again goes on where it ended. A line that is wrong in anything imports nothing, and the others are not held up.
 */
export async function importOrders(
  { database, sealer, config }: CommandParts,
  bytes: AsyncIterable<Uint8Array>,
  { dryRun, onProgress }: ImportOptions,
): Promise<ImportReport> {
  const report: ImportReport = { imported: 0, existing: 0, refused: [] }
  const appIds = config.feishu.apps.map((app) => app.appId)
  const before = new Before()
  const actor = userOfCommand()
  const bring = async ({ read }: Item): Promise<Imported> => {
    if (read.kind === 'refused') return read
    const { origin, order } = read
    if (dryRun) return checkImport(database.pool, origin, order)
    return database.transaction(async (sql) => {
      const imported = await importOrder(sql, sealer, origin, order)
      const subject = `order:${order.backgroundCheckId}`
      const after = { vendor_order_id: order.vendorOrderId }
      const entry = { actor, via: 'cli', action: 'orders.import', subject, outcome: 'done', after } as const
      if (imported.kind === 'imported') await addToAudit(sql, [entry])
      return imported
    })
  }
  const finish = async (items: readonly Item[]) => {
    const outcomes = await Promise.all(items.map(bring))
    for (const [index, outcome] of outcomes.entries()) note(report, items[index]?.number ?? 0, outcome)
    onProgress?.(items.at(-1)?.number ?? 0)
  }
  let waiting: Item[] = []
  for await (const line of readLines(bytes)) {
    waiting.push({ number: line.number, read: before.check(line.number, readLine(line, appIds)) })
    if (waiting.length < atOnce) continue
    await finish(waiting)
    waiting = []
  }
  await finish(waiting)
  return report
}

function readLine(line: Line, appIds: readonly string[]): ReadOrder {
  if ('problem' in line) return { kind: 'refused', issues: [{ path: '', message: line.problem }] }
  return readOrderLine(line.text, appIds)
}

/** What earlier lines of the file named: two lines about one order, or two orders with one number, cannot both be right. */
class Before {
  readonly #checks = new Map<string, number>()
  readonly #numbers = new Map<string, number>()

  check(line: number, read: ReadOrder): ReadOrder {
    if (read.kind === 'refused') return read
    const { backgroundCheckId, vendorOrderId } = read.order
    const issues = [
      ...this.#repeated('background_check_id', this.#checks, backgroundCheckId, line),
      ...this.#repeated('vendor_order_id', this.#numbers, vendorOrderId, line),
    ]
    return issues.length === 0 ? read : { kind: 'refused', issues }
  }

  #repeated(path: string, seen: Map<string, number>, id: string, line: number): Issue[] {
    const first = seen.get(id)
    if (first !== undefined) return [{ path, message: `expected another one than in line ${first}` }]
    seen.set(id, line)
    return []
  }
}

function note(report: ImportReport, line: number, outcome: Imported): void {
  if (outcome.kind === 'imported') report.imported += 1
  else if (outcome.kind === 'exists') report.existing += 1
  else report.refused.push(...outcome.issues.map(({ path, message }) => ({ line, path, message })))
}
