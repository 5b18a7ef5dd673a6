import type { z } from 'zod'
import type { UnreadableEntry } from './adapter.js'

export type Read<T> = { ok: true; value: T } | { ok: false; complaint: string }

/** Reads JSON of a shape. A complaint names paths and types, never values, which may be personal data. */
export function readJson<T>(body: Buffer, contentType: string | undefined, schema: z.ZodType<T>): Read<T> {
  const json = parseJson(body)
  if (!json.ok) return { ok: false, complaint: `expected JSON, got ${describeBody(body, contentType)}` }
  const parsed = schema.safeParse(json.value)
  if (parsed.success) return { ok: true, value: parsed.data }
  return { ok: false, complaint: describeIssues(parsed.error.issues, json.value) }
}

/** Reads the entries of a list one by one; `named` reads at least whose it is of one that cannot be read. */
export function readEach<T>(
  entries: readonly unknown[],
  schema: z.ZodType<T>,
  named: z.ZodType<string>,
): { items: T[]; unreadable: UnreadableEntry[] } {
  const items: T[] = []
  const unreadable: UnreadableEntry[] = []
  for (const entry of entries) {
    const read = schema.safeParse(entry)
    if (read.success) items.push(read.data)
    else {
      const complaint = describeIssues(read.error.issues, entry, 'the entry')
      unreadable.push({ id: named.safeParse(entry).data ?? null, complaint })
    }
  }
  return { items, unreadable }
}

/** The parser's own message quotes the text, so it is dropped. */
function parseJson(body: Buffer): { ok: true; value: unknown } | { ok: false } {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    return { ok: true, value }
  } catch {
    return { ok: false }
  }
}

function describeBody(body: Buffer, contentType = ''): string {
  if (body.length === 0) return 'nothing'
  const known = /^(text\/html|text\/plain|text\/xml|application\/xml|application\/json)\b/i.exec(contentType)?.[1]
  return `${body.length} bytes${known === undefined ? '' : ` of ${known.toLowerCase()}`} that cannot be read`
}

const MOST_ISSUES = 5

function describeIssues(issues: readonly z.core.$ZodIssue[], root: unknown, whole = 'the answer'): string {
  const described = issues.slice(0, MOST_ISSUES).map((issue) => describeIssue(issue, root, whole))
  const more = issues.length - described.length
  return described.join('; ') + (more > 0 ? `; and ${more} more` : '')
}

function describeIssue(issue: z.core.$ZodIssue, root: unknown, whole: string): string {
  const path = pathOf(issue.path, whole)
  if (issue.code === 'invalid_type') return `${path}: expected ${issue.expected}, got ${kindAt(root, issue.path)}`
  if (issue.code === 'invalid_value') {
    const got = kindAt(root, issue.path)
    return `${path}: expected one of ${issue.values.join(', ')}, got ${got === 'string' ? 'another string' : got}`
  }
  // The schemas word every other message themselves.
  return `${path}: ${issue.message}`
}

/** `stages[0].time`. Our schemas have fixed field names, so a path is never the vendor's own text. */
function pathOf(path: readonly PropertyKey[], whole: string): string {
  const text = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')
  return text === '' ? whole : text.replace(/^\./, '')
}

function kindAt(root: unknown, path: readonly PropertyKey[]): string {
  let value = root
  for (const step of path) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined
  }
  return kindOf(value)
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value
}
