import { problems } from '../api/problems.js'
import { asObject, asText, type JsonObject } from '../openapi/json.js'
import { type Html, html, prose } from './html.js'
import { operationsOf, sectionOf } from './operation.js'
import { membersOf, saidOf, typeOf } from './schema.js'

/** The OpenAPI document as a page: no script, nothing from outside, an anchor for each operation and schema. */
export function docsPage(document: JsonObject): string {
  const info = asObject(document['info'])
  const operations = operationsOf(document)
  const tags = Array.isArray(document['tags']) ? document['tags'].map(asObject) : []
  const groups = tags.map((tag) => ({ tag, its: operations.filter((each) => each.tag === tag['name']) }))
  const schemas = Object.entries(asObject(asObject(document['components'])['schemas']))
  return pageOf(
    'API',
    html`<h1>${asText(info['title'])}</h1>
<p>${asText(info['summary'])}. <a href="/openapi.json">OpenAPI document</a>, <a href="/docs/problems">problems</a>.</p>
${asText(info['description'])
  .split('\n\n')
  .map((paragraph) => html`<p>${prose(paragraph)}</p>`)}
<nav aria-label="Operations"><h2>Operations</h2>${groups.map(({ tag, its }) => menuOf(tag, its))}</nav>
<main>${groups.map(({ tag, its }) => html`<h2>${asText(tag['description'])}</h2>${its.map((each) => sectionOf(document, each))}`)}
<h2>Schemas</h2>${schemas.map(([name, schema]) => schemaOf(name, asObject(schema)))}</main>`,
  )
}

function menuOf(tag: JsonObject, its: ReturnType<typeof operationsOf>): Html {
  const lines = its.map(({ id, method, path }) => html`<li><a href="#${id}"><code>${method} ${path}</code></a></li>`)
  return html`<h3>${asText(tag['description'])}</h3><ul>${lines}</ul>`
}

function schemaOf(name: string, schema: JsonObject): Html {
  return html`<section><h3 id="${name}">${name}</h3><p>${typeOf(schema)}${saidOf(schema)}</p>${membersOf(schema)}</section>`
}

/** What the `type` of a problem refers to. */
export function problemsPage(): string {
  const lines = Object.entries(problems).map(
    ([name, { status, title }]) => html`<dt id="${name}"><code>${name}</code></dt><dd>${status}: ${title}</dd>`,
  )
  return pageOf('Problems', html`<h1>Problems</h1><p><a href="/docs">API</a></p><main><dl>${lines}</dl></main>`)
}

function pageOf(title: string, body: Html): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – bgc-bridge</title><link rel="stylesheet" href="/docs/style.css"></head>
<body>${body}</body></html>
`.text
}
