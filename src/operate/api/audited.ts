import { isDeepStrictEqual } from 'node:util'
import type { Parts } from '../../app.js'
import { type AuditEntry, addToAudit } from '../../flow/audit.js'
import type { Database, Sql } from '../../platform/database/database.js'
import { isProblem, type Problem } from './problems.js'

/** What the audit tells of a write beside who made it and when. */
export interface Audit<Request> {
  /** `order:<id>`, `delivery:<id>`, … */
  subject: (request: Request) => string
  /** Ids, states and counts of the subject, never personal data: read before and after. `undefined`: there is none. */
  look: (sql: Sql, request: Request, parts: Pick<Parts, 'config'>) => Promise<object | undefined>
}

/** `when_changed`: if the two looks differ. `never`: nothing is to be changed, as in a dry run. */
export type Entry = 'always' | 'when_changed' | 'never'

export type Written<T> = { kind: 'done'; result: T } | Problem

/**
 * Runs the write of a route in one transaction with its entry in the audit. `judge` answers what the route goes on with,
 * or the problem that the write was refused with.
 */
export type Write = <T, U>(
  work: (sql: Sql) => Promise<T>,
  judge: (result: T) => U | Problem,
  entry?: Entry,
) => Promise<Written<U>>

/** Who asks: what each entry of a request begins with. */
export interface Asker {
  key: { name: string }
  address: string
  via: AuditEntry['via']
}

export function by({ key, address, via }: Asker): Pick<AuditEntry, 'actor' | 'via' | 'address'> {
  return { actor: key.name, via, address }
}

export interface Act extends Pick<AuditEntry, 'actor' | 'via' | 'address' | 'action' | 'subject'> {
  look: (sql: Sql) => Promise<object | undefined>
}

/**
 * One transaction for a write and its entry: neither is there without the other. `before` is what was committed when it
 * began; it is not locked, since the locks of a write go in an order of their own.
 */
export function audited<T, U>(
  database: Pick<Database, 'transaction'>,
  { look, ...act }: Act,
  work: (sql: Sql) => Promise<T>,
  judge: (result: T) => U | Problem,
  entry: Entry = 'always',
): Promise<Written<U>> {
  return database.transaction(async (sql) => {
    const before = await look(sql)
    const result = judge(await work(sql))
    const after = await look(sql)
    const refusal = isProblem(result) ? result : undefined
    const told = entry === 'always' || (entry === 'when_changed' && !isDeepStrictEqual(before, after))
    const shown = refusal === undefined ? after : { ...after, problem: refusal.name }
    const outcome = refusal === undefined ? 'done' : 'refused'
    if (told) await addToAudit(sql, [{ ...act, outcome, ...(before && { before }), ...(shown && { after: shown }) }])
    return isProblem(result) ? result : { kind: 'done', result }
  })
}

/** Runs in the transaction of a write that took effect; throws to take it back. */
export type Mark = (sql: Sql) => Promise<void>

/** The `write` of one request, and a check that a success of the route went through it. */
export function createWrite<Request extends Asker>(
  parts: Pick<Parts, 'config' | 'database'>,
  action: string,
  audit: Audit<Request> | 'by itself' | undefined,
  request: Request,
  mark: Mark = async () => undefined,
) {
  let written = false
  const write: Write = (work, judge, entry) => {
    if (audit === undefined || audit === 'by itself') throw new Error(`${action} has no entry in the audit to write`)
    written = true
    const act = { ...by(request), action, subject: audit.subject(request) }
    const marked = async (sql: Sql) => {
      const result = judge(await work(sql))
      if (!isProblem(result) && entry !== 'never') await mark(sql)
      return result
    }
    const look = (sql: Sql) => audit.look(sql, request, parts)
    return audited(parts.database, { ...act, look }, marked, (result) => result, entry)
  }
  const insist = <A extends { kind: string }>(answer: A): A => {
    const mustWrite = audit !== undefined && audit !== 'by itself'
    if (mustWrite && !written && answer.kind === 'ok') throw new Error(`${action} left no entry in the audit`)
    return answer
  }
  return { write, insist }
}
