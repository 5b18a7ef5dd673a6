import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { FeishuApp } from '../../src/config.js'
import { problemNames, problemsOf } from '../../src/operate/api/common-problems.js'
import { usualLimit } from '../../src/operate/api/key-failures.js'
import type { ProblemName } from '../../src/operate/api/problems.js'
import type { Route } from '../../src/operate/api/route.js'
import { routes } from '../../src/operate/api/routes.js'
import { freshSchema } from '../support/postgres.js'
import { type Api, type Reply, secrets, startOperators } from './harness.js'
import { recipes } from './recipes.js'
import { json, requestOf } from './requests.js'

/**
 * Each answer that the document names, given once: the harness holds every one to the document, and here is counted
 * that none was left out.
 */
let api: Api
/** Whose database is away, whose is empty, who counts to one. */
let away: Api
let broken: Api
let tight: Api
beforeAll(async () => {
  api = await startOperators()
  away = await startOperators({ databaseUrl: 'postgres://nobody:nothing@127.0.0.1:1/none' })
  const { apps } = away.parts.config.feishu
  // With one app only, a question to Feishu needs no row.
  for (const app of [...apps]) (apps as FeishuApp[]).push({ ...app, appId: 'cli_b' })
  broken = await startOperators({ databaseUrl: freshSchema(inject('databaseUrl')) })
  const none = { quota: 0, windowMs: 60_000 }
  tight = await startOperators({ rates: { requests: none, notices: none }, failureLimit: { ...usualLimit, most: 1 } })
})
afterAll(() => Promise.all([api, away, broken, tight].map((each) => each.stop())))

let ids = 7_400_000
const nextId = () => {
  ids += 1
  return String(ids)
}

const big = { headers: json, body: `{"a":"${'x'.repeat(1_048_577)}"}` }
const xml = { headers: { 'content-type': 'text/xml' }, body: '<a/>' }

/** What every operation answers alike. */
const alike: Readonly<Partial<Record<ProblemName, (route: Route) => Promise<Reply>>>> = {
  'invalid-request': (route) => {
    const [method, path, options] = requestOf(route)
    return api.call(method, `${path}${path.includes('?') ? '&' : '?'}unknown=1`, options)
  },
  unauthorized: (route) => call(api, route, { secret: null }),
  forbidden: (route) => call(api, route, { secret: route.scopes.includes('notify') ? secrets.read : secrets.notify }),
  'not-found': (route) => {
    const [method, path, options] = requestOf(route, 'no-id')
    return api.call(method, path, options)
  },
  'payload-too-large': (route) => call(api, route, big),
  'unsupported-media-type': (route) => call(api, route, xml),
  'idempotency-key-in-use': (route) =>
    repeated(route, `status = NULL, answer_sealed = NULL, runs_until = now() + interval '1 minute'`),
  'answer-lost': (route) =>
    repeated(route, `status = 0, answer_sealed = NULL, runs_until = now() - interval '1 second'`),
  'idempotency-key-reused': (route) => repeated(route, `request = 'another'`),
  'too-many-failures': async (route) => {
    await call(tight, route, { secret: 'a-wrong-secret' })
    return call(tight, route, { secret: 'a-wrong-secret' })
  },
  'too-many-requests': (route) => call(tight, route),
  internal: (route) => call(broken, route),
  unavailable: (route) => call(away, route),
}

function call(to: Api, route: Route, more: object = {}): Promise<Reply> {
  const [method, path, options] = requestOf(route, route.id.startsWith('vendor_') ? nextId() : undefined)
  return to.call(method, path, { ...options, ...more })
}

/** The second of two requests with one key, the row of the first changed between them. */
async function repeated(route: Route, change: string): Promise<Reply> {
  const [method, path, options] = requestOf(route)
  const headers = { ...options.headers, 'idempotency-key': `key-${nextId()}` }
  await api.parts.database.pool.query('DELETE FROM idempotency_keys')
  await api.call(method, path, { ...options, headers })
  await api.parts.database.pool.query(`UPDATE idempotency_keys SET ${change}`)
  return api.call(method, path, { ...options, headers })
}

const documented = routes.flatMap((route) => problemsOf(route).map((name) => [route, name] as const))
const special = documented.filter(([, name]) => alike[name] === undefined)

describe.each(routes.map((route) => [route.id, route] as const))('%s', (id, route) => {
  it('succeeds', async () => {
    const { status, headers } = await make(id)
    expect(status).toBe(route.status)
    expect(headers.get('ratelimit')).toMatch(/^"(requests|notices)";r=\d+;t=\d+$/)
  })

  it.each(problemsOf(route))('answers %s', async (name) => {
    const reply = await (alike[name]?.(route) ?? make(`${id} ${name}`))
    expect(reply.body['type']).toBe(`/docs/problems#${name}`)
    const isKnown = name !== 'unauthorized' && name !== 'too-many-failures'
    expect(reply.headers.has('ratelimit-policy')).toBe(isKnown)
    if (/^too-many|unavailable|in-use/.test(name)) expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

function make(name: string): Promise<Reply> {
  const recipe = recipes[name]
  if (recipe === undefined) throw new Error(`test/operate/recipes.ts does not say how ${name} comes about`)
  return recipe(api, nextId())
}

it('has a recipe for what is documented and for nothing else', () => {
  const wanted = [...routes.map(({ id }) => id), ...special.map(([{ id }, name]) => `${id} ${name}`)]
  expect(Object.keys(recipes).toSorted()).toEqual(wanted.toSorted())
})

it('leaves only what no operation of /v1 answers', () => {
  const answered = new Set(documented.map(([, name]) => name))
  expect(problemNames.filter((name) => !answered.has(name))).toEqual(['method-not-allowed'])
})

describe('beside /v1', () => {
  it.each(['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs', '/docs/problems'])(
    '%s answers GET and HEAD, and nothing else',
    async (path) => {
      expect((await api.call('GET', path, { secret: null })).status).toBe(200)
      expect((await api.call('HEAD', path, { secret: null })).status).toBe(200)
      expect((await api.call('DELETE', path, { secret: null })).body['type']).toBe('/docs/problems#method-not-allowed')
    },
  )

  it('/console asks to sign in', async () => {
    expect((await api.call('GET', '/console', { secret: null })).status).toBe(401)
  })
})
