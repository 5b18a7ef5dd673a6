import { z } from 'zod'

/**
 * Bodies of the events that take effect. Feishu marks no field as required (contract §1.1), so only the ids that
 * nothing works without are demanded; whatever else is missing or null reads as absent, and unknown fields pass.
 */
const id = z.string().regex(/^[0-9]{1,32}$/, 'expected an id of 1 to 32 digits')
const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined)
/** PostgreSQL's text holds no NUL, and it means nothing to anybody. */
const text = optional(z.string().transform((value) => value.replaceAll('\0', '')))
/** Feishu leaves open how values that are no text are written (contract §1.3): they pass on as JSON. */
const anyValue = z.unknown().transform((value, ctx): string | undefined => {
  if (typeof value === 'string' || value == null) return value ?? undefined
  try {
    return JSON.stringify(value)
  } catch (failure) {
    // JSON is read however deep it is, but written on the stack: another try would end the same way.
    if (!(failure instanceof RangeError)) throw failure
    ctx.addIssue({ code: 'custom', message: 'expected a value of fewer levels' })
    return z.NEVER
  }
})
const listOf = <T extends z.ZodType>(element: T) =>
  optional(z.array(element.nullish()).transform((list) => list.filter((each) => each !== null && each !== undefined)))

const customFields = listOf(z.object({ key: z.string().nullish(), value: anyValue }))

const person = optional(
  z.object({
    name: text,
    first_name: text,
    last_name: text,
    email: text,
    mobile: optional(z.object({ code: text, number: text })),
  }),
)

export const accountCreated = z.object({
  scope: optional(z.number()),
  account_id: id,
  account_name: text,
  usage_list: listOf(z.number()),
  custom_field_list: customFields,
})

export const checkCreated = z.object({
  background_check_id: id,
  account_id: text,
  package_id: text,
  additional_item_id_list: listOf(z.string()),
  comment: text,
  candidate_info: person,
  client_contact_info: person,
  custom_field_list: customFields,
})

export const checkCanceled = z.object({ background_check_id: id, termination_reason: text })

export const appTicket = z.object({ app_ticket: z.string().min(1) })

export const tenantChanged = z.object({ status: text })

export type CheckCreated = z.output<typeof checkCreated>

/** `event` of either envelope; complaints name paths and expectations, never values. */
export function readEventBody<T>(payload: Buffer, schema: z.ZodType<T>): { ok: T } | { problem: string } {
  const envelope: unknown = JSON.parse(payload.toString('utf8'))
  const event = typeof envelope === 'object' && envelope !== null && 'event' in envelope ? envelope.event : undefined
  const parsed = schema.safeParse(event)
  if (parsed.success) return { ok: parsed.data }
  const issues = parsed.error.issues.map((issue) => `${['event', ...issue.path].join('.')}: ${issue.message}`)
  return { problem: `the event's body does not fit: ${issues.join('; ')}` }
}
