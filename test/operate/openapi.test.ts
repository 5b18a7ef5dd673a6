import { readFile } from 'node:fs/promises'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { problemNames } from '../../src/operate/api/common-problems.js'
import { routes } from '../../src/operate/api/routes.js'
import { openApiDocument } from '../../src/operate/openapi/document.js'
import { openApiText } from '../../src/operate/openapi/text.js'
import { document, holdToDocument } from './document.js'
import { type Api, startOperators } from './harness.js'

let api: Api
beforeAll(async () => {
  api = await startOperators()
})
afterAll(() => api.stop())

const read = async (path: string) => {
  const response = await fetch(api.url + path)
  return { status: response.status, headers: response.headers, text: await response.text() }
}
const operations = Object.entries(document['paths'] ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods as Record<string, { operationId: string }>).map(([method, { operationId }]) => ({
    operationId,
    line: `${method.toUpperCase()} ${path}`,
  })),
)

async function lint(source: object) {
  const config = await createConfig({ extends: ['recommended'] })
  const found = await lintFromString({ source: JSON.stringify(source), config })
  return found.map(({ ruleId, message, location }) => `${ruleId} ${location[0]?.pointer}: ${message}`)
}

describe('the document', () => {
  it('leaves a linter nothing to say', async () => {
    expect(await lint(document)).toEqual([])
    const spoilt = { ...document, paths: { ...(document['paths'] as object), '/x': { get: {} } } }
    expect(await lint(spoilt)).not.toEqual([])
  })

  it('has every route, every other path, and the same each time', () => {
    const lines = operations.map(({ line }) => line)
    for (const { method, path } of routes) expect(lines).toContain(`${method} ${path}`)
    expect(lines).toEqual(
      expect.arrayContaining([
        'POST /webhooks/feishu/{app_id}/events',
        'POST /webhooks/feishu/events',
        'GET /reports/{token}',
        'GET /healthz',
        'GET /readyz',
        'GET /metrics',
        'GET /console',
      ]),
    )
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
    expect(JSON.stringify(openApiDocument(routes))).toBe(JSON.stringify(document))
  })

  it('is what docs/openapi.json holds (`npm run docs` writes it)', async () => {
    const committed = await readFile(new URL('../../docs/openapi.json', import.meta.url), 'utf8')
    expect(committed).toBe(openApiText())
  })

  it('is what the service answers with, without a key', async () => {
    const { status, headers, text } = await read('/openapi.json')
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8'])
    expect(text).toBe(openApiText())
  })

  it('refuses what it does not name: a status, a type, a member, a value', () => {
    const hold = (status: number, body: object, type = 'application/json') =>
      holdToDocument('GET', '/v1/holds', { status, headers: new Headers({ 'content-type': type }), body })
    const item = { id: '1', scope: 'app', app_id: 'a', reason: 'r', created_at: '2026-01-02T03:04:05.678Z' }
    const list = (more: object) => ({ items: [{ ...item, ...more }], next_cursor: null })
    hold(200, list({}))
    expect(() => hold(202, list({}))).toThrow('not in the document')
    expect(() => hold(200, list({}), 'text/plain')).toThrow('not in the document')
    expect(() => hold(200, list({ extra: 1 }))).toThrow('additionalProperties')
    expect(() => hold(200, list({ id: 1 }))).toThrow('must be string')
    expect(() => hold(200, list({ created_at: '2026-01-02T03:04:05Z' }))).toThrow('pattern')
    expect(() => hold(200, { items: [] })).toThrow('next_cursor')
    const problem = { type: '/docs/problems#order-ended', title: 't', status: 409, detail: 'd' }
    expect(() => hold(409, problem, 'application/problem+json')).toThrow('not in the document')
    expect(() => hold(403, problem, 'application/problem+json')).toThrow('enum')
  })
})

describe('the pages', () => {
  it('have an anchor for each operation, schema and problem, and no link leads nowhere', async () => {
    const { text: docs } = await read('/docs')
    const { text: problems } = await read('/docs/problems')
    const anchors = (text: string) => [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    expect(anchors(docs)).toEqual(expect.arrayContaining(operations.map(({ operationId }) => operationId)))
    expect(anchors(problems)).toEqual(problemNames)
    const here = [...docs.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id)
    expect(here.filter((id) => !anchors(docs).includes(id))).toEqual([])
    const there = [...docs.matchAll(/href="\/docs\/problems#([^"]+)"/g)].map(([, id]) => id)
    expect(there.filter((id) => !anchors(problems).includes(id))).toEqual([])
    expect(there.length).toBeGreaterThan(100)
  })

  it.each(['/docs', '/docs/problems'])('%s takes nothing from outside, and runs nothing', async (path) => {
    const { headers, text } = await read(path)
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    expect(text).not.toMatch(/<script|<style| style=| on\w+=|https?:|<img|<iframe/)
    expect([...text.matchAll(/<link[^>]*>/g)].map(([link]) => link)).toEqual([
      '<link rel="stylesheet" href="/docs/style.css"/>',
    ])
    expect(text).toContain('<meta name="viewport" content="width=device-width, initial-scale=1"/>')
    const style = await read('/docs/style.css')
    expect([style.status, style.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8'])
    expect(style.text).toMatch(/prefers-color-scheme: dark/)
    expect(style.text).not.toMatch(/url\(|@import/)
  })

  it('are not there where operators are not let in', async () => {
    const outside = await startOperators({ operators: false })
    for (const path of ['/openapi.json', '/docs', '/docs/problems', '/docs/style.css']) {
      expect((await outside.call('GET', path)).status).toBe(404)
    }
    await outside.stop()
  })
})
