import { z } from 'zod'
import type { Origin } from '../../flow/map.js'
import type { OrderToImport } from '../../flow/orders/import.js'
import { stageIdOf } from '../../flow/orders/stages.js'

/** One line of `bgc import orders`; docs/moving-in.md explains the fields. */
export type ReadOrder = { kind: 'order'; origin: Origin; order: OrderToImport } | { kind: 'refused'; issues: Issue[] }

/** Where in a line, and what was expected there; never what was found. */
export interface Issue {
  path: string
  message: string
}

const year2001 = 978_307_200_000
const mostAheadMs = 86_400_000
/** As many as the service sends of one order. */
const mostStages = 500

const words = (most: number) =>
  z
    .string('expected a text')
    .min(1, 'expected a text that is not empty')
    .max(most, `expected ${most} characters or fewer`)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected text without control characters')
const feishuId = z.string('expected an id as text').regex(/^\d{1,32}$/, 'expected an id of 1 to 32 digits')
const vendorOrderId = words(256).refine((id) => id !== '.' && id !== '..', 'expected an id, not a step in a path')

const expectedTime = 'expected milliseconds since 1970, or a time as RFC 3339, from 2001 until tomorrow'
const time = z.union([z.number(), z.string()], expectedTime).transform((given, context) => {
  const ms = millisecondsOf(given)
  if (ms >= year2001 && ms <= Date.now() + mostAheadMs) return ms
  context.addIssue({ code: 'custom', message: expectedTime })
  return z.NEVER
})

function millisecondsOf(given: number | string): number {
  if (typeof given === 'number') return Number.isSafeInteger(given) ? given : Number.NaN
  if (/^\d{1,16}$/.test(given)) return Number(given)
  return /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(given) ? Date.parse(given) : Number.NaN
}

const states = ['ordered', 'in_progress', 'completed', 'canceled'] as const

const line = z
  .strictObject(
    {
      background_check_id: feishuId,
      tenant_key: words(200),
      app_id: words(200).nullish(),
      account_id: feishuId.nullish(),
      package_id: words(200).nullish(),
      vendor_order_id: vendorOrderId,
      created_at: time.nullish(),
      stages_sent: z
        .array(
          z.strictObject({ stage_id: words(1000), stage_name: words(1000), stage_time: time }, 'expected an object'),
          'expected a list of the stages that Feishu has, empty where it has none',
        )
        .max(mostStages, `expected ${mostStages} stages or fewer`),
      result_sent: z.strictObject({ result: words(10_000), result_time: time }, 'expected an object').nullish(),
      state: z.enum(states, `expected one of ${states.join(', ')}, or nothing`).nullish(),
    },
    'expected a JSON object',
  )
  .superRefine(({ stages_sent: stages, result_sent: result, state }, context) => {
    const complain = (path: Array<string | number>, message: string) =>
      context.addIssue({ code: 'custom', path, message })
    const ids = stages.map((stage) => stageIdOf(stage.stage_id))
    for (const [index, id] of ids.entries()) {
      if (ids.indexOf(id) < index)
        complain(['stages_sent', index, 'stage_id'], 'expected another id than the stages before')
    }
    if (state === 'completed' && !result) complain(['result_sent'], 'expected, since state is completed')
    if (result && (state === 'ordered' || state === 'in_progress')) {
      complain(['state'], 'expected completed, canceled or nothing, since a result was sent')
    }
  })

/** Reads one line for a service that has these apps. */
export function readOrderLine(text: string, appIds: readonly string[]): ReadOrder {
  const parsed = line.safeParse(parseJson(text))
  if (!parsed.success) return { kind: 'refused', issues: parsed.error.issues.flatMap(toIssues) }
  const appId = parsed.data.app_id ?? (appIds.length === 1 ? appIds[0] : undefined)
  if (appId === undefined || !appIds.includes(appId)) {
    const message = `expected one of the apps of this service: ${appIds.join(', ')}`
    return { kind: 'refused', issues: [{ path: 'app_id', message }] }
  }
  return { kind: 'order', origin: { appId, tenantKey: parsed.data.tenant_key }, order: toOrder(parsed.data) }
}

function toOrder(given: z.output<typeof line>): OrderToImport {
  const { account_id: accountId, package_id: packageId, created_at: createdAt, result_sent: result } = given
  return {
    backgroundCheckId: given.background_check_id,
    vendorOrderId: given.vendor_order_id,
    ...(accountId && { accountId }),
    ...(packageId && { packageId }),
    ...(createdAt && { createdAt }),
    stages: given.stages_sent.map((stage) => ({ id: stage.stage_id, name: stage.stage_name, time: stage.stage_time })),
    ...(result && { result: { result: result.result, time: result.result_time } }),
    canceled: given.state === 'canceled',
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (failure) {
    // What JSON.parse says quotes the line; the schema says that an object is expected.
    if (failure instanceof SyntaxError) return undefined
    throw failure
  }
}

function toIssues(issue: z.core.$ZodIssue): Issue[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path.join('.'), message: issue.message }]
  return issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'not a field of this format' }))
}
