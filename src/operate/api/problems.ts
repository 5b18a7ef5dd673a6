/**
 * Every error of the HTTP interface, as RFC 9457 `application/problem+json`. `type` is a reference relative to this
 * service, `/docs/problems#<name>`, and stable: names are only ever added to. `detail` and `errors` name what was
 * expected and never repeat a value that came.
 */
export const problems = {
  'invalid-request': { status: 400, title: 'The request does not fit' },
  unauthorized: { status: 401, title: 'No valid API key' },
  forbidden: { status: 403, title: 'The API key lacks a scope' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'method-not-allowed': { status: 405, title: 'The path does not take this method' },
  'order-not-polled': { status: 409, title: 'The order is not polled' },
  'order-not-failed': { status: 409, title: 'The order did not fail' },
  'order-ended': { status: 409, title: 'The order has ended' },
  'order-open': { status: 409, title: 'The order has not ended' },
  'order-being-stopped': { status: 409, title: 'The order is being stopped' },
  'not-resendable': { status: 409, title: 'The result or stage cannot be sent again' },
  'event-not-failed': { status: 409, title: 'The event did not fail' },
  'account-elsewhere': { status: 409, title: 'The account belongs to another app or tenant' },
  'finding-not-open': { status: 409, title: 'The finding is not open' },
  'hold-released': { status: 409, title: 'The hold was released before' },
  'delivery-not-revivable': { status: 409, title: 'The delivery cannot be sent again' },
  'agreement-changed-later': { status: 409, title: 'The agreement was changed later' },
  'agreement-deleted': { status: 409, title: 'The agreement was deleted' },
  'agreement-being-created': { status: 409, title: 'Another agreement of this application waits to be created' },
  'catalog-irreversible': { status: 409, title: 'The plan has calls that cannot be undone' },
  'idempotency-key-in-use': { status: 409, title: 'The first request with this Idempotency-Key is not answered yet' },
  'answer-lost': { status: 409, title: 'The first request with this Idempotency-Key took effect, its answer was lost' },
  erased: { status: 409, title: 'The data that this needs was erased' },
  archived: { status: 409, title: 'The order is in the archive' },
  'payload-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body is not plain JSON' },
  'catalog-refused': { status: 422, title: 'Feishu would not take this' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key came with another request before' },
  'too-many-failures': { status: 429, title: 'Too many wrong keys came from this address' },
  'too-many-requests': { status: 429, title: 'The API key made too many requests' },
  internal: { status: 500, title: 'The service failed' },
  'feishu-refused': { status: 502, title: 'Feishu refused the question' },
  'feishu-unavailable': { status: 503, title: 'Feishu cannot be asked now' },
  unavailable: { status: 503, title: 'The database is not available' },
} as const satisfies Record<string, { status: number; title: string }>

export type ProblemName = keyof typeof problems

/** One thing that does not fit: where, and what was expected. */
export interface Complaint {
  path: string
  message: string
}

export interface Problem {
  kind: 'problem'
  name: ProblemName
  detail: string
  errors?: readonly Complaint[]
  headers?: Readonly<Record<string, string>>
  /** Names this one occurrence; the log has it, too. */
  instance?: string
  /** The calls that would be made. */
  plan?: readonly object[]
}

export function problem(name: ProblemName, detail: string, more: Pick<Problem, 'headers' | 'instance'> = {}): Problem {
  return { kind: 'problem', name, detail, ...more }
}

export function isProblem(result: unknown): result is Problem {
  return typeof result === 'object' && result !== null && 'kind' in result && result.kind === 'problem'
}

export function misfit(errors: readonly Complaint[]): Problem {
  const paths = errors.map((each) => each.path).join(', ')
  return { kind: 'problem', name: 'invalid-request', detail: `does not fit: ${paths}`, errors }
}

export function problemJson({ name, detail, errors, instance, plan }: Problem): Record<string, unknown> {
  const { status, title } = problems[name]
  return {
    type: `/docs/problems#${name}`,
    title,
    status,
    detail,
    ...(instance !== undefined && { instance }),
    ...(errors !== undefined && { errors }),
    ...(plan !== undefined && { plan }),
  }
}
