import type { z } from 'zod'

export type Complaint = { field: string; description: string; value: string }

/** What was expected and what came, for each field that is wrong. */
export function complaints(error: z.ZodError, input: unknown): Complaint[] {
  return error.issues.map((issue) => ({
    field: issue.path.map(String).join('.') || '(body)',
    description: issue.message,
    value: show(valueAt(input, issue.path)),
  }))
}

export function readable(list: readonly Complaint[]): string {
  return list.map(({ field, description, value }) => `${field}: ${description}; it came as ${value}`).join(' | ')
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    input,
  )
}

function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

export type Parsed = { ok: true; value: unknown } | { ok: false; reason: string }

/** A JSON object out of raw bytes; `reason` says what came instead. */
export function parseObject(raw: Buffer): Parsed {
  try {
    const value: unknown = JSON.parse(raw.toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ok: true, value }
    return { ok: false, reason: `expected a JSON object; it came as ${show(value)}` }
  } catch {
    return { ok: false, reason: `expected a JSON object; it came as ${show(raw.toString('utf8'))}` }
  }
}
