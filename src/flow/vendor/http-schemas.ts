import { z } from 'zod'
import type { BoundAccount, Capabilities, VendorAgreement, VendorOrder } from './adapter.js'

/**
 * What the vendor's system answers. Unknown fields are ignored, and null counts as absent where a field is optional.
 * What a schema says about a mistake goes into logs: it may name fields and types, never what came.
 */

/** Goes into paths and rows: no control characters, no halves of surrogate pairs, no step in a path. */
const orderId = z
  .string()
  .min(1, 'expected an id, got an empty string')
  .max(256, 'expected an id of up to 256 characters, got a longer one')
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected an id, got a string with control characters')
  .refine((id) => id !== '.' && id !== '..', 'expected an id, got a step in a path')

/** Is kept as it came; PostgreSQL takes no NUL in a text. */
const cursor = z.string().regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected a cursor, got a string with control characters')

/** Milliseconds since 1970. */
const time = z.number().refine(Number.isSafeInteger, 'expected whole milliseconds, got another number')

const report = z
  .object({
    name: z.string(),
    url: z.string().regex(/^https?:\/\/\S+$/, 'expected an http or https URL, got other text'),
    type: z.union([z.literal(1), z.literal(2)], 'expected 1 or 2').nullish(),
  })
  .transform(({ name, url, type }) => ({ name, url, type: type ?? (1 as const) }))

const reports = z
  .array(report)
  .nullish()
  .transform((list) => list ?? [])

const stage = z
  .object({
    id: z.string(),
    name: z.string(),
    en_name: z.string().nullish(),
    time,
    result: z.string().nullish(),
    reports,
  })
  .transform(({ en_name, result, ...rest }) => ({ ...rest, ...given({ enName: en_name, result }) }))

const result = z.object({ result: z.string(), time, reports })

export const order = z
  .object({
    order_id: orderId,
    background_check_id: z.string().nullish(),
    status: z.enum(['pending', 'in_progress', 'completed', 'canceled']),
    stages: z.array(stage).nullish(),
    result: result.nullish(),
  })
  .superRefine(({ status, result }, context) => {
    if (status !== 'completed' || (result !== undefined && result !== null)) return
    context.addIssue({ code: 'custom', path: ['result'], message: 'expected a result, since status is completed' })
  })
  .transform(
    (order): VendorOrder => ({
      orderId: order.order_id,
      status: order.status,
      stages: order.stages ?? [],
      ...given({ backgroundCheckId: order.background_check_id }),
      ...given({ result: order.status === 'completed' ? order.result : undefined }),
    }),
  )

export const orders = z.object({ orders: z.array(order) })

/** A page is read entry by entry: one that is wrong must not stop the others. */
const entries = z.array(z.unknown())

export const changedOrders = z.object({ orders: entries, cursor, has_more: z.boolean() })

/** Which order or agreement an entry is about that cannot be read otherwise. */
export const namedOrder = z.object({ order_id: orderId }).transform(({ order_id }) => order_id)
export const namedAgreement = z.object({ id: orderId }).transform(({ id }) => id)

/** What an id and a state have to be is judged where they are used. */
export const agreement = z
  .object({ id: z.string(), tenant_key: z.string(), state: z.number(), modify_time: time })
  .transform(
    ({ id, tenant_key, state, modify_time }): VendorAgreement => ({
      id,
      tenantKey: tenant_key,
      state,
      modifyTime: modify_time,
    }),
  )

export const changedAgreements = z.object({ agreements: entries, cursor, has_more: z.boolean() })

export const placedOrder = z.object({ order_id: orderId }).transform(({ order_id }) => ({ orderId: order_id }))

export const boundAccount = z
  .object({
    customer_id: z
      .string()
      .min(1, 'expected an id or null, got an empty string')
      .max(256, 'expected an id of up to 256 characters, got a longer one')
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected an id, got a string with control characters')
      .nullable(),
    catalog: z.record(z.string(), z.unknown()).nullish(),
  })
  .transform(({ customer_id, catalog }): BoundAccount => ({ customerId: customer_id, ...given({ catalog }) }))

const able = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false)

export const capabilities = z.object({ batch: able, changes: able, tripartite: able }) satisfies z.ZodType<Capabilities>

type Given<T> = { [K in keyof T]?: NonNullable<T[K]> }

/** Only the fields that have a value. */
function given<T extends object>(fields: T): Given<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null)
  return Object.fromEntries(entries) as Given<T>
}
