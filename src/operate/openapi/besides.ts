import { z } from 'zod'
import { refusals } from '../report-answers.js'
import type { JsonObject } from './json.js'
import type { Schemas } from './schemas.js'

/** Every path that is not made from the table of routes: who calls it, and what it answers. */
export function besides(schemas: Schemas): Record<string, JsonObject> {
  const json = (shape: z.ZodType, description: string) => ({
    description,
    content: { 'application/json': { schema: schemas.of(shape, 'output') } },
  })
  const push = pushOf(schemas, json)
  return {
    '/webhooks/feishu/{app_id}/events': { post: { operationId: 'webhook.of_app', ...push, parameters: [appId] } },
    '/webhooks/feishu/events': { post: { operationId: 'webhook.of_first_app', ...push } },
    '/reports/{token}': { get: report },
    '/healthz': {
      get: open('service.health', 'Whether the process lives', { 200: json(alive, 'It does'), 405: notAllowed }),
    },
    '/readyz': {
      get: open('service.readiness', 'Whether the process can do its work now', {
        200: json(readiness, '`ok`, or `degraded`: Redis is away, and this process can receive without it'),
        405: notAllowed,
        503: json(readiness, '`unavailable`: the database is away or not migrated, or a stop has begun'),
      }),
    },
    '/metrics': {
      get: open('service.metrics', 'Metrics for Prometheus', { 200: text('text/plain', 'They'), 405: notAllowed }),
    },
    '/openapi.json': {
      get: open('service.openapi', 'This document', {
        200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
        405: notAllowed,
      }),
    },
    '/console': {
      get: open('service.console', 'The web console', {
        200: text('text/html', 'The first page'),
        401: text('text/html', 'Asks to sign in with the secret of an API key'),
      }),
    },
    '/docs': {
      get: open('service.docs', 'This document, to read', { 200: text('text/html', 'A page'), 405: notAllowed }),
    },
    '/docs/problems': {
      get: open('service.problems', 'What the `type` of each problem means', {
        200: text('text/html', 'A page'),
        405: notAllowed,
      }),
    },
  }
}

const notAllowed = { $ref: '#/components/responses/method-not-allowed' }

function open(operationId: string, summary: string, responses: JsonObject): JsonObject {
  return { operationId, tags: ['service'], summary, security: [], responses }
}

function text(type: string, description: string): JsonObject {
  return { description, content: { [type]: { schema: { type: 'string' } } } }
}

const alive = z.object({ status: z.literal('ok') }).meta({ id: 'Alive' })
const readiness = z
  .object({ status: z.enum(['ok', 'degraded', 'unavailable']), checks: z.record(z.string(), z.string()) })
  .meta({ id: 'Readiness', description: '`checks`: what each part says; nothing of it is secret' })

const appId = { name: 'app_id', in: 'path', required: true, description: "The app's id", schema: { type: 'string' } }

const encrypted = z.object({ encrypt: z.string() }).meta({ id: 'Push', description: 'An encrypted event of Feishu' })
const taken = z
  .object({ challenge: z.string().optional() })
  .meta({ id: 'PushTaken', description: 'Empty; with the `challenge` of a `url_verification`' })
const pushRefused = z.object({ error: z.string() }).meta({ id: 'PushRefused' })

function pushOf(schemas: Schemas, json: (shape: z.ZodType, description: string) => JsonObject): JsonObject {
  const refused = (description: string) => json(pushRefused, description)
  return {
    tags: ['service'],
    summary: 'Feishu pushes an event: encrypted, and signed over the raw bytes',
    security: [],
    requestBody: { required: true, content: { 'application/json': { schema: schemas.of(encrypted, 'input') } } },
    responses: {
      200: json(taken, 'It is committed, or was before'),
      400: refused('Not a JSON object'),
      401: refused('Not signed or encrypted by the app, or too old'),
      404: refused('No such app'),
      405: refused('Another method than POST'),
      408: refused('The body did not come in time'),
      413: refused('More than 1 MiB'),
      415: refused('A content encoding'),
      503: refused('Not known to be committed: send it again'),
    },
  }
}

const report: JsonObject = {
  operationId: 'service.report',
  tags: ['service'],
  summary: "A report, streamed from the vendor, when BGC_REPORT_LINKS is 'proxy'; ranges are passed on",
  security: [],
  parameters: [
    { name: 'token', in: 'path', required: true, description: 'As Feishu was given it', schema: { type: 'string' } },
  ],
  responses: {
    200: { description: 'The report', content: { 'application/pdf': { schema: { type: 'string' } } } },
    206: { description: 'A part of it', content: { 'application/pdf': { schema: { type: 'string' } } } },
    ...refusalsByStatus(),
  },
}

function refusalsByStatus(): JsonObject {
  const statuses = [...new Set(Object.values(refusals).map(({ status }) => status))]
  const textsOf = (status: number) =>
    Object.values(refusals).flatMap((each) => (each.status === status ? each.text : []))
  return Object.fromEntries(
    statuses.map((status) => [status, text('text/plain', [...new Set(textsOf(status))].join(' '))]),
  )
}
