import { z } from 'zod'

/**
 * What the verbs answer, as docs/vendor-api.md and the types of `VendorAdapter` have it. The `http` adapter reads JSON by
 * schemas of its own; these look at adapters whose answers nobody has read yet.
 */
const orderId = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected no control characters')
const time = z.number()
const text = z.string()
const report = z.object({ name: text, url: text, type: z.union([z.literal(1), z.literal(2)]) })
const reports = z.array(report)
const stage = z.object({ id: text, name: text, enName: text.optional(), time, result: text.optional(), reports })

const order = z.object({
  orderId,
  backgroundCheckId: text.optional(),
  status: z.enum(['pending', 'in_progress', 'completed', 'canceled']),
  stages: z.array(stage),
  result: z.object({ result: text, time, reports }).optional(),
})
const page = { expired: z.boolean(), cursor: text, hasMore: z.boolean() }
const agreement = z.object({ id: text, tenantKey: text, state: z.number(), modifyTime: time })

export const shapes = {
  capabilities: z.object({ batch: z.boolean(), changes: z.boolean(), tripartite: z.boolean() }),
  bindAccount: z.object({ customerId: z.string().min(1).max(256).nullable() }),
  placeOrder: z.object({ orderId }),
  findOrder: order.extend({ others: z.array(text).optional() }).nullable(),
  getOrder: order.nullable(),
  getOrders: z.array(order),
  changes: z.object({ ...page, orders: z.array(order) }),
  agreements: z.object({ ...page, agreements: z.array(agreement) }),
  cancelOrder: z.null(),
} as const

export type WatchedVerb = keyof typeof shapes

const failure = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('final'), message: text }),
  z.object({ kind: z.literal('retry'), message: text, ambiguous: z.boolean() }),
  z.object({ kind: z.literal('misconfigured'), message: text }),
])

/** What is wrong with an answer, by paths and types; null when nothing is. */
export function complaintAbout(verb: WatchedVerb, answer: unknown): string | null {
  const kind: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'kind') : undefined
  if (kind !== 'ok') return firstIssue(failure.safeParse(answer), 'kind')
  return firstIssue(z.object({ value: shapes[verb] }).safeParse(answer), 'value')
}

function firstIssue(read: z.ZodSafeParseResult<unknown>, whole: string): string | null {
  const issue = read.error?.issues[0]
  if (issue === undefined) return null
  const path = issue.path.map(String).join('.') || whole
  const expected = issue.code === 'invalid_type' ? `expected ${issue.expected}` : `not as documented (${issue.code})`
  return `${path}: ${expected}`
}
