import { z } from 'zod'

/** Pieces that several answers share. Sealed columns are never selected by what shapes an answer. */
const failure = z.object({ class: z.string(), message: z.string(), action: z.string() })

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

export function timeOf(at: Date | null): string | null {
  return at === null ? null : at.toISOString()
}
