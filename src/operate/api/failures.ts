import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Logger } from '../../platform/logger.js'
import { type Problem, problem } from './problems.js'

interface FailedRequest {
  method: string
  route: string
  /** Where it came from. */
  address: string
}

/**
 * What an operator is told about an error that nobody expected: that the database is away, or an id that the log has,
 * and nothing of the inside.
 */
export function problemOfFailure(log: Logger, failure: unknown, request: FailedRequest): Problem {
  const id = randomUUID()
  const away = isDatabaseAway(failure)
  const line = { event: away ? 'api.database_away' : 'api.failed', id, ...request, err: failure }
  log[away ? 'warn' : 'error'](line, 'a request of an operator failed')
  const instance = `urn:uuid:${id}`
  if (away) return problem('unavailable', 'try again in a moment', { headers: { 'Retry-After': '5' }, instance })
  return problem('internal', `the log tells why, under the id ${id}`, { instance })
}

const errorShape = z.object({
  code: z.string().optional(),
  message: z.string().catch(''),
  meta: z
    .object({
      driverAdapterError: z.object({ cause: z.object({ kind: z.string(), originalCode: z.string().optional() }) }),
    })
    .optional()
    .catch(undefined),
})

/**
 * SQLSTATE classes 08 (connection), 53 (resources), 57 (intervention, a statement that took too long among them), and
 * the codes of a socket. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const awayCode = /^(08|53|57)[0-9A-Z]{3}$|^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_|EHOST|ENET)/
/** https://www.prisma.io/docs/orm/reference/error-reference: not reached, timed out, closed, no connection free. */
const awayPrisma = ['P1001', 'P1002', 'P1008', 'P1017', 'P2024']
const awayKinds = ['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TooManyConnections']
/** pg says these without a code. */
const awayMessage =
  /timeout exceeded when trying to connect|Connection terminated|Client has encountered a connection error/

export function isDatabaseAway(failure: unknown): boolean {
  if (failure instanceof AggregateError) return failure.errors.some(isDatabaseAway)
  const { success, data } = errorShape.safeParse(failure)
  if (!success) return false
  const cause = data.meta?.driverAdapterError.cause
  const codes = [data.code ?? '', cause?.originalCode ?? '']
  if (codes.some((code) => awayCode.test(code) || awayPrisma.includes(code))) return true
  return awayKinds.includes(cause?.kind ?? '') || awayMessage.test(data.message)
}
