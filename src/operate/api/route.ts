import { z } from 'zod'
import type { Parts } from '../../app.js'
import type { ApiKey, Scope } from '../../config.js'
import { type Complaint, misfit, type Problem, problem } from './problems.js'

/** What a route answers: a JSON value under the route's status, or a problem. */
export type Answer = { kind: 'ok'; body: object } | Problem

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** One line of the table that the interface is made of: requests are checked by its schemas before `run` sees them. */
export interface RouteSpec<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType> {
  method: Method
  /** As OpenAPI writes it: `/v1/orders/{background_check_id}`. */
  path: string
  summary: string
  /** Any one of them lets a key in. */
  scopes: readonly Scope[]
  /** Of success. */
  status: 200 | 202
  params: P
  query: Q
  body: B
  run: (parts: Parts, request: Checked<z.output<P>, z.output<Q>, z.output<B>>) => Promise<Answer>
}

export interface Checked<P, Q, B> {
  params: P
  query: Q
  body: B
  key: ApiKey
}

export interface RawRequest {
  params: Readonly<Record<string, string>>
  query: URLSearchParams
  /** `undefined` when none came. */
  body: unknown
  key: ApiKey
}

export interface Route extends Omit<RouteSpec<z.ZodObject, z.ZodObject, z.ZodType>, 'run'> {
  answer: (parts: Parts, raw: RawRequest) => Promise<Answer>
}

/** For routes without parameters. */
export const none = z.object({})
/** For routes that need no body and take an empty object. */
export const noBody = z.strictObject({}).optional()
/** For routes that never look at a body, whatever it is. */
export const anyBody = z.unknown()

export function readsBody({ method, body }: Pick<Route, 'method' | 'body'>): boolean {
  return method !== 'GET' && body !== anyBody
}

export function route<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType>(
  spec: RouteSpec<P, Q, B>,
): Route {
  const { run, ...facts } = spec
  return {
    ...facts,
    answer: async (parts, raw) => {
      const params = spec.params.safeParse(raw.params)
      if (!params.success) return unknownId
      const query = readQuery(spec.query, raw.query)
      const body = spec.body.safeParse(raw.body)
      const errors = [...query.errors, ...(body.success ? [] : complaintsOf(body.error))]
      if (errors.length > 0 || query.value === undefined || !body.success) return misfit(errors)
      return run(parts, { params: params.data, query: query.value, body: body.data, key: raw.key })
    },
  }
}

export function ok(body: object): Answer {
  return { kind: 'ok', body }
}

export const unknownId = problem('not-found', 'nothing has this id')

/** What was read of the thing that a path names. */
export function okOrUnknown(body: object | null): Answer {
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
