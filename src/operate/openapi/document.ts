import { problemNames, problemsOf } from '../api/common-problems.js'
import { problems } from '../api/problems.js'
import type { Route } from '../api/route.js'
import { besides } from './besides.js'
import type { JsonObject } from './json.js'
import { operationOf, tagOf } from './operation.js'
import { headers, namedResponses } from './responses.js'
import { createSchemas } from './schemas.js'
import { about, tags } from './words.js'

/** OpenAPI 3.1 of everything on HTTP, written from the schemas that requests are checked by. The same every time. */
export function openApiDocument(routes: readonly Route[]): JsonObject {
  const schemas = createSchemas()
  const paths: Record<string, JsonObject> = {}
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route, schemas) }
  }
  for (const [path, operations] of Object.entries(besides(schemas))) paths[path] = operations
  const document = {
    openapi: '3.1.1',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'bgc-bridge',
      version: '1',
      summary: 'Background checks ordered in Feishu Hire, and what became of them',
      description: about,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This service' }],
    tags: tagsOf(routes),
    security: [{ apiKey: [] }],
    paths,
    components: {
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: scheme } },
      parameters: { IdempotencyKey: idempotencyKey },
      headers,
      responses: namedResponses([...routes.map(problemsOf), ['method-not-allowed']]),
      schemas: { ...schemas.named(), Problem: problem },
    },
  } satisfies JsonObject
  return document
}

const scheme =
  'A secret of BGC_API_KEYS. The roles of an operation are scopes, any one of which lets a key in: `read`, `operate`, ' +
  '`reveal`, `erase`, `notify`.'

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'The same key with the same request gets the same answer for 24 hours, and nothing is done twice',
  schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' },
  example: '7f9c2ba4-e88f-4b1e-9d5b-1a4c1c1d2f10',
} as const

/** RFC 9457; `plan` comes with `catalog-irreversible`. */
const problem = {
  type: 'object',
  description: 'RFC 9457. `type` names the problem; `detail` and `errors` say what was expected, never what came.',
  properties: {
    type: { type: 'string', format: 'uri-reference', enum: problemNames.map((name) => `/docs/problems#${name}`) },
    title: { type: 'string' },
    status: { type: 'integer', enum: [...new Set(problemNames.map((name) => problems[name].status))] },
    detail: { type: 'string' },
    instance: { type: 'string', format: 'uri', description: 'Names this one occurrence; the log has it, too' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        properties: { path: { type: 'string' }, message: { type: 'string' } },
        required: ['path', 'message'],
      },
    },
    plan: { type: 'array', items: { $ref: '#/components/schemas/PlanLine' } },
  },
  required: ['type', 'title', 'status', 'detail'],
  examples: [
    {
      type: '/docs/problems#not-found',
      title: problems['not-found'].title,
      status: 404,
      detail: 'nothing has this id',
    },
  ],
} as const

function tagsOf(routes: readonly Route[]): JsonObject[] {
  const used = [...new Set(routes.map(tagOf)), 'service']
  return used.map((name) => ({ name, description: tags[name] ?? name }))
}
