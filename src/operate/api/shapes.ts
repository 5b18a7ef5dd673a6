import { z } from 'zod'

/** Pieces that several answers share. Sealed columns are never selected by what shapes an answer. */
export const time = z
  .string()
  .meta({ format: 'date-time', pattern: '\\.[0-9]{3}Z$', examples: ['2026-01-02T03:04:05.678Z'] })

/**
 * An enumeration of an answer. Rows have it as a text; the document names the values, and the tests hold answers to it.
 * Values are only ever added.
 */
export const listed = (values: readonly string[]) => z.string().meta({ enum: [...values] })

/** An id that this service counted itself. */
export const ownId = z.string().meta({ pattern: '^[1-9][0-9]*$', examples: ['4711'] })

/**
 * How a shape stands in the document where a value is not of its type here: what comes out of a JSON column. Members are
 * only ever added to what goes out, so nobody is told that there are no others.
 */
export function documented(shape: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...json } = z.toJSONSchema(shape, {
    io: 'output',
    override: ({ jsonSchema }) => openUp(jsonSchema),
  })
  return json
}

/** Takes from a JSON schema of what goes out what is said of what comes in. */
export function openUp(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.additionalProperties === false) delete schema.additionalProperties
  delete schema.default
}

export const failure = z
  .object({ class: z.string(), message: z.string(), action: z.string() })
  .meta({ id: 'Failure', description: 'Why it failed, who can mend it, and how' })

/** `{class, message, action}` of an order or account that failed, as this service wrote it. */
export function failureOf(stored: unknown): { failure?: z.output<typeof failure> } {
  const parsed = failure.safeParse(stored)
  return parsed.success ? { failure: parsed.data } : {}
}

/** A member that is left out when there is nothing to say. */
export function given<const Name extends string, Value>(
  name: Name,
  value: Value | null | undefined,
): Partial<Record<Name, Value>> {
  if (value === null || value === undefined) return {}
  const member: Partial<Record<Name, Value>> = {}
  member[name] = value
  return member
}

export function timeOf(at: Date): string
export function timeOf(at: Date | null): string | null
export function timeOf(at: Date | null): string | null {
  return at === null ? null : at.toISOString()
}
