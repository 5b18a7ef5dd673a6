import { z } from 'zod'
import type { Parts } from '../../app.js'
import type { ApiKey, Scope } from '../../config.js'
import type { AuditEntry } from '../../flow/audit.js'
import { type Audit, createWrite, type Mark, type Write } from './audited.js'
import { type Complaint, misfit, type Problem, type ProblemName, problem } from './problems.js'

/** What a route answers: a JSON value under the route's status, or a problem. */
export type Answer<B = object> = { kind: 'ok'; body: B } | Problem

export type WriteMethod = 'POST' | 'PUT' | 'PATCH' | 'DELETE'
export type Method = 'GET' | WriteMethod

/** What the OpenAPI document and the requests of an operation are made of. */
interface Facts<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType, A extends z.ZodType> {
  /** Names the operation in the OpenAPI document and in the audit: `orders.poll`. */
  id: string
  /** As OpenAPI writes it: `/v1/orders/{background_check_id}`. */
  path: string
  summary: string
  /** Any one of them lets a key in. */
  scopes: readonly Scope[]
  /** Of success. */
  status: 200 | 202
  /** A POST that changes nothing: it is asked anew, and has its entry in the audit, each time it comes. */
  onlyReads?: true
  params: P
  query: Q
  body: B
  /** The body of success. */
  answer: A
  /** What it refuses with beside the problems that every operation has (src/operate/api/common-problems.ts). */
  problems: readonly ProblemName[]
}

/**
 * One line of the table that the interface is made of: requests are checked by its schemas before `run` sees them, and
 * the OpenAPI document is written from them. A write says what its entry in the audit tells, or that it writes entries
 * `by itself`.
 */
export type RouteSpec<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType, A extends z.ZodType> = Facts<
  P,
  Q,
  B,
  A
> & {
  run: (
    parts: Parts,
    request: Checked<z.output<P>, z.output<Q>, z.output<B>>,
    write: Write,
  ) => Promise<Answer<z.input<A>>>
} & (
    | { method: 'GET'; audit?: never }
    | { method: WriteMethod; audit: Audit<Checked<z.output<P>, z.output<Q>, z.output<B>>> | 'by itself' }
  )

export interface Checked<P, Q, B> {
  params: P
  query: Q
  body: B
  key: ApiKey
  /** Where the request came from, for the audit. */
  address: string
  via: AuditEntry['via']
}

export interface RawRequest {
  params: Readonly<Record<string, string>>
  query: URLSearchParams
  /** `undefined` when none came. */
  body: unknown
  key: ApiKey
  address: string
  via?: AuditEntry['via']
}

export interface Route extends Facts<z.ZodObject, z.ZodObject, z.ZodType, z.ZodType> {
  method: Method
  /** Reads a request by the schemas; nothing is done before `run`. */
  check: (raw: RawRequest) => { kind: 'fits'; run: (parts: Parts, mark?: Mark) => Promise<Answer> } | Problem
}

/** For routes without parameters. */
export const none = z.object({})
/** For routes that need no body and take an empty object. */
export const noBody = z.strictObject({}).optional()
/** For routes that never look at a body, whatever it is. */
export const anyBody = z.unknown()

/** Whether an `Idempotency-Key` means anything to it. */
export function isWrite({ method, onlyReads }: Pick<Route, 'method' | 'onlyReads'>): boolean {
  return method !== 'GET' && onlyReads !== true
}

export function readsBody({ method, body }: Pick<Route, 'method' | 'body'>): boolean {
  return method !== 'GET' && body !== anyBody
}

export function route<
  P extends z.ZodObject,
  Q extends z.ZodObject,
  B extends z.ZodType,
  A extends z.ZodType<object, object>,
>(spec: RouteSpec<P, Q, B, A>): Route {
  const { run, audit, ...facts } = spec
  return {
    ...facts,
    check: (raw) => {
      const params = spec.params.safeParse(raw.params)
      if (!params.success) return unknownId
      const query = readQuery(spec.query, raw.query)
      const body = spec.body.safeParse(raw.body)
      const errors = [...query.errors, ...(body.success ? [] : complaintsOf(body.error))]
      if (errors.length > 0 || query.value === undefined || !body.success) return misfit(errors)
      const { key, address, via = 'api' } = raw
      const request = { params: params.data, query: query.value, body: body.data, key, address, via }
      return {
        kind: 'fits',
        run: async (parts, mark) => {
          const { write, insist } = createWrite(parts, spec.id, audit, request, mark)
          return insist(await run(parts, request, write))
        },
      }
    },
  }
}

export function ok<B extends object>(body: B): { kind: 'ok'; body: B } {
  return { kind: 'ok', body }
}

export const unknownId = problem('not-found', 'nothing has this id')

/** What was read of the thing that a path names. */
export function okOrUnknown<B extends object>(body: B | null): Answer<B> {
  return body === null ? unknownId : ok(body)
}

/** A parameter that is there and empty counts as left out. */
function readQuery<Q extends z.ZodObject>(
  schema: Q,
  search: URLSearchParams,
): { value?: z.output<Q>; errors: Complaint[] } {
  const names = [...new Set(search.keys())]
  const given = names.filter((name) => search.get(name) !== '')
  const parsed = schema.safeParse(Object.fromEntries(given.map((name) => [name, search.get(name)])))
  const errors = [...names.flatMap((name) => refuseName(schema, search, name)), ...complaintsOf(parsed.error)]
  return parsed.success ? { value: parsed.data, errors } : { errors }
}

const longestName = 100

function refuseName(schema: z.ZodObject, search: URLSearchParams, name: string): Complaint[] {
  const path = name.slice(0, longestName)
  if (search.getAll(name).length > 1) return [{ path, message: 'expected once, was given more than once' }]
  if (Object.hasOwn(schema.shape, name)) return []
  const known = Object.keys(schema.shape).join(', ') || 'none'
  return [{ path, message: `not a parameter of this path; there are: ${known}` }]
}

function complaintsOf(error: z.ZodError | undefined): Complaint[] {
  return (error?.issues ?? []).map(({ path, message }) => ({ path: path.join('.') || 'body', message }))
}
