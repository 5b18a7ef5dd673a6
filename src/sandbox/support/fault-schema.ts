import { z } from 'zod'
import type { FaultAction } from './faults.js'

const apply = z.boolean().optional()

/** What goes wrong, as it comes over HTTP. */
const faultAction = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('answer'),
    httpStatus: z.int(),
    code: z.int().optional(),
    msg: z.string().optional(),
    headers: z.record(z.string(), z.string()).optional(),
    apply,
  }),
  z.strictObject({ kind: z.literal('hang'), apply }),
  z.strictObject({ kind: z.literal('reset'), apply }),
  z.strictObject({ kind: z.literal('garbage'), apply }),
  z.strictObject({ kind: z.literal('server_error'), apply }),
  z.strictObject({ kind: z.literal('slow'), ms: z.number().min(0) }),
  z.strictObject({ kind: z.literal('token_expired') }),
  z.strictObject({ kind: z.literal('rate_limited'), resetSeconds: z.union([z.number(), z.string()]).optional() }),
]) as z.ZodType<Exclude<FaultAction, { kind: 'held' }>>

/** A fault as it comes over HTTP, for calls that `match` describes. */
export function plannedFault<Match extends z.ZodType>(match: Match) {
  return z.strictObject({
    match: match.optional(),
    action: faultAction,
    times: z.union([z.int().min(1), z.literal('always')]).optional(),
    forMs: z.number().optional(),
  })
}
