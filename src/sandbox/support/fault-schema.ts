import { z } from 'zod'
import type { FaultAction } from './faults.js'

const apply = z.boolean().optional()

/** A fault as it comes over HTTP. */
export const faultAction = z.discriminatedUnion('kind', [
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
]) as z.ZodType<FaultAction>
