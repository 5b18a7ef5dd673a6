import type { ComponentChildren } from 'preact'
import { problems } from '../api/problems.js'
import { renderDocument } from '../html/document.js'
import { asList, asObject, asText, type JsonObject } from '../openapi/json.js'
import { type Operation, operationsOf, Section } from './operation.js'
import { Prose } from './prose.js'
import { Members, Said, Type } from './schema.js'

/** The OpenAPI document as a page: no script, nothing from outside, an anchor for each operation and schema. */
export function docsPage(document: JsonObject): string {
  const info = asObject(document['info'])
  const operations = operationsOf(document)
  const groups = asList(document['tags'])
    .map(asObject)
    .map((tag) => ({
      about: asText(tag['description']),
      its: operations.filter((each) => each.tag === tag['name']),
    }))
  const schemas = Object.entries(asObject(asObject(document['components'])['schemas']))
  return renderPage(
    'API',
    <>
      <h1>{asText(info['title'])}</h1>
      <p>
        {asText(info['summary'])}. <a href="/openapi.json">OpenAPI document</a>, <a href="/docs/problems">problems</a>.
      </p>
      {asText(info['description'])
        .split('\n\n')
        .map((paragraph) => (
          <p>
            <Prose text={paragraph} />
          </p>
        ))}
      <nav aria-label="Operations">
        <h2>Operations</h2>
        {groups.map((group) => (
          <Menu {...group} />
        ))}
      </nav>
      <main>
        {groups.map(({ about, its }) => (
          <>
            <h2>{about}</h2>
            {its.map((operation) => (
              <Section document={document} operation={operation} />
            ))}
          </>
        ))}
        <h2>Schemas</h2>
        {schemas.map(([name, schema]) => (
          <Schema name={name} schema={asObject(schema)} />
        ))}
      </main>
    </>,
  )
}

function Menu({ about, its }: { about: string; its: readonly Operation[] }) {
  return (
    <>
      <h3>{about}</h3>
      <ul>
        {its.map(({ id, method, path }) => (
          <li>
            <a href={`#${id}`}>
              <code>
                {method} {path}
              </code>
            </a>
          </li>
        ))}
      </ul>
    </>
  )
}

function Schema({ name, schema }: { name: string; schema: JsonObject }) {
  return (
    <section>
      <h3 id={name}>{name}</h3>
      <p>
        <Type of={schema} />
        <Said of={schema} />
      </p>
      <Members of={schema} />
    </section>
  )
}

/** What the `type` of a problem refers to. */
export function problemsPage(): string {
  return renderPage(
    'Problems',
    <>
      <h1>Problems</h1>
      <p>
        <a href="/docs">API</a>
      </p>
      <main>
        <dl>
          {Object.entries(problems).map(([name, { status, title }]) => (
            <>
              <dt id={name}>
                <code>{name}</code>
              </dt>
              <dd>
                {status}: {title}
              </dd>
            </>
          ))}
        </dl>
      </main>
    </>,
  )
}

function renderPage(title: string, children: ComponentChildren): string {
  const head = <link rel="stylesheet" href="/docs/style.css" />
  return renderDocument({ lang: 'en', title: `${title} – bgc-bridge`, head, children })
}
