import { problemsOf } from '../api/common-problems.js'
import { isWrite, noBody, type Route, readsBody } from '../api/route.js'
import { asObject, type Json, type JsonObject } from './json.js'
import { problemResponses, success } from './responses.js'
import type { Schemas } from './schemas.js'

/** An operation of the document, from its line in the table of routes. */
export function operationOf(route: Route, schemas: Schemas): JsonObject {
  const writes = isWrite(route)
  const parameters = [
    ...parametersOf(schemas.of(route.params, 'input'), 'path'),
    ...parametersOf(schemas.of(route.query, 'input'), 'query'),
    ...(writes ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
  ]
  return {
    operationId: route.id,
    tags: [tagOf(route)],
    summary: route.summary,
    // Any one of them lets a key in.
    security: route.scopes.map((scope) => ({ apiKey: [scope] })),
    ...(parameters.length > 0 && { parameters }),
    ...bodyOf(route, schemas),
    responses: {
      [route.status]: success(schemas.of(route.answer, 'output'), writes),
      ...problemResponses(problemsOf(route)),
    },
  }
}

export function tagOf({ id }: Pick<Route, 'id'>): string {
  return id.split('.')[0] ?? id
}

function bodyOf(route: Route, schemas: Schemas): JsonObject {
  if (!readsBody(route) || route.body === noBody) return {}
  const required = !route.body.safeParse(undefined).success
  const schema = schemas.of(route.body, 'input')
  return { requestBody: { required, content: { 'application/json': { schema } } } }
}

function parametersOf(schema: JsonObject, place: 'path' | 'query'): JsonObject[] {
  const { properties, required } = schema
  const must = Array.isArray(required) ? required : []
  return Object.entries(asObject(properties)).map(([name, its]) => {
    const { description, ...schema } = typed(asObject(its))
    return {
      name,
      in: place,
      required: must.includes(name),
      ...(description !== undefined && { description }),
      schema,
    }
  })
}

/** A query has texts only; what they are read as says more. */
function typed({ pattern, ...schema }: JsonObject): JsonObject {
  if (schema['type'] === 'integer') return schema
  if (isFlag(schema['enum'])) return { type: 'boolean' }
  return pattern === undefined ? schema : { ...schema, pattern }
}

function isFlag(values: Json | undefined): boolean {
  return Array.isArray(values) && values.join() === 'true,false'
}
