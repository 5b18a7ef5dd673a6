import type { z } from 'zod'
import type { Parts } from '../../app.js'
import { type ReadArchived, readArchived } from '../../flow/archive/read.js'
import { isArchived } from '../../flow/archived.js'
import type { Sql } from '../../platform/database/database.js'
import { type Order, order, wholeOrder } from './order-shape.js'
import { type Problem, problem } from './problems.js'
import { type Answer, ok, unknownId } from './route.js'
import { timeOf } from './shapes.js'

type WholeOrder = z.output<typeof wholeOrder>

/** An order that is not among those that live: from the archive, or that there is none. */
export async function answerArchived({ database }: Parts, id: string): Promise<Answer<WholeOrder>> {
  const found = await readArchived(database.pool, id)
  if (found.kind === 'archived') {
    return ok({ ...wholeOrder.parse(found.document), archived_at: timeOf(found.archivedAt) })
  }
  return notThere(found)
}

/** As the list shows it: what became of an order that is not among those that live. */
export async function answerArchivedInShort({ database }: Parts, id: string): Promise<Answer<Order>> {
  const found = await readArchived(database.pool, id)
  return found.kind === 'archived' ? ok(short(found)) : notThere(found)
}

function notThere(found: Exclude<ReadArchived, { kind: 'archived' }>): Problem {
  if (found.kind === 'unknown') return unknownId
  return problem(
    'not-found',
    `the order was archived; its month, ${found.month}, was exported and is not in the database`,
  )
}

/** As a list shows it. */
export async function findArchived({ database }: Parts, id: string): Promise<Order[]> {
  const found = await readArchived(database.pool, id)
  return found.kind === 'archived' ? [short(found)] : []
}

function short({ document, archivedAt }: Extract<ReadArchived, { kind: 'archived' }>): Order {
  return { ...order.parse(document), archived_at: timeOf(archivedAt) }
}

type Outcome = string | { kind: string }

/** The two halves of a write to an order (audited.ts): a check that is not among those that live may be in the archive. */
export function unlessArchived<T extends Outcome, U>(
  id: string,
  work: (sql: Sql) => Promise<T>,
  judge: (result: T) => U | Problem,
) {
  const found = async (sql: Sql): Promise<T | typeof archived> => {
    const result = await work(sql)
    return isUnknown(result) && (await isArchived(sql, id)) ? archived : result
  }
  const judged = (result: T | typeof archived): U | Problem => (result === archived ? refused : judge(result))
  return [found, judged] as const
}

const archived = Symbol('archived')
const refused = problem('archived', 'the order ended long ago, and can only be read')

function isUnknown(result: Outcome): boolean {
  return (typeof result === 'string' ? result : result.kind) === 'unknown'
}
