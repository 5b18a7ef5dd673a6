import { type ProblemName, problems } from '../api/problems.js'
import type { JsonObject } from './json.js'

/** What every answer to a key carries; docs/api.md says how it is counted. */
const rateHeaders = {
  RateLimit: { $ref: '#/components/headers/RateLimit' },
  'RateLimit-Policy': { $ref: '#/components/headers/RateLimit-Policy' },
}
const replayed = { 'Idempotency-Replayed': { $ref: '#/components/headers/Idempotency-Replayed' } }
const retryAfter = { 'Retry-After': { $ref: '#/components/headers/Retry-After' } }

export const headers = {
  RateLimit: {
    description: 'What is left of the quota, and for how many seconds (draft-ietf-httpapi-ratelimit-headers)',
    schema: { type: 'string' },
    example: '"requests";r=1199;t=60',
  },
  'RateLimit-Policy': {
    description: 'The quota of requests, and its window in seconds',
    schema: { type: 'string' },
    example: '"requests";q=1200;w=60',
  },
  'Retry-After': { description: 'Seconds to wait', schema: { type: 'integer', minimum: 1 } },
  'Idempotency-Replayed': {
    description: 'The answer is the one that the first request with this Idempotency-Key got',
    schema: { type: 'string', enum: ['true'] },
  },
  'WWW-Authenticate': { description: 'The scheme', schema: { type: 'string', enum: ['Bearer'] } },
} as const satisfies JsonObject

export function success(schema: JsonObject, isWrite: boolean): JsonObject {
  return {
    description: 'Success',
    headers: { ...rateHeaders, ...(isWrite && replayed) },
    content: { 'application/json': { schema } },
  }
}

const unknownKey: readonly ProblemName[] = ['unauthorized', 'too-many-failures']
const waits: readonly ProblemName[] = [
  'too-many-failures',
  'too-many-requests',
  'idempotency-key-in-use',
  'unavailable',
  'feishu-unavailable',
]

function headersOf(name: ProblemName): JsonObject {
  return {
    ...(unknownKey.includes(name) ? {} : rateHeaders),
    ...(waits.includes(name) && retryAfter),
    ...(name === 'unauthorized' && { 'WWW-Authenticate': { $ref: '#/components/headers/WWW-Authenticate' } }),
  }
}

function described(names: readonly ProblemName[]): JsonObject {
  const types = names.map((name) => `/docs/problems#${name}`)
  const status = names[0] === undefined ? 0 : problems[names[0]].status
  const its = { properties: { type: { enum: types }, status: { const: status } } }
  return {
    description: names.map((name) => `\`${name}\`: ${problems[name].title}`).join('; '),
    headers: Object.fromEntries(names.flatMap((name) => Object.entries(headersOf(name)))),
    content: { 'application/problem+json': { schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, its] } } },
  }
}

/** The responses of an operation that can answer with these problems: those of one status are one response. */
export function problemResponses(names: readonly ProblemName[]): JsonObject {
  return Object.fromEntries(
    byStatus(names).map(([status, its]) => [status, { $ref: `#/components/responses/${its.join('.')}` }]),
  )
}

/** Every response that operations with these problems refer to. */
export function namedResponses(operations: ReadonlyArray<readonly ProblemName[]>): JsonObject {
  const sets = operations.flatMap((names) => byStatus(names).map(([, its]) => [its.join('.'), described(its)] as const))
  return Object.fromEntries(sets.toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

function byStatus(names: readonly ProblemName[]): Array<[string, ProblemName[]]> {
  const statuses = new Set(names.map((name) => problems[name].status))
  return [...statuses].map((status) => [String(status), names.filter((name) => problems[name].status === status)])
}
