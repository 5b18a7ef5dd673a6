import { asList, asObject, asText, type JsonObject, resolved } from '../openapi/json.js'
import { type Html, html, prose } from './html.js'
import { membersOf, saidOf, typeOf } from './schema.js'

export interface Operation {
  id: string
  tag: string
  method: string
  path: string
  its: JsonObject
}

export function operationsOf(document: JsonObject): Operation[] {
  return Object.entries(asObject(document['paths'])).flatMap(([path, methods]) =>
    Object.entries(asObject(methods)).map(([method, operation]) => {
      const its = asObject(operation)
      return {
        id: asText(its['operationId']),
        tag: asList(its['tags']).map(asText).join(),
        method: method.toUpperCase(),
        path,
        its,
      }
    }),
  )
}

export function sectionOf(document: JsonObject, { id, method, path, its }: Operation): Html {
  const scopes = asList(its['security'])
    .flatMap((one) => Object.values(asObject(one)).flatMap(asList))
    .map(asText)
  const parameters = asList(its['parameters']).map((one) => resolved(document, asObject(one)))
  const responses = Object.entries(asObject(its['responses']))
  return html`<section><h3 id="${id}"><a href="#${id}"><code>${method} ${path}</code></a></h3>
<p>${prose(asText(its['summary']))}. ${scopes.length === 0 ? 'No key.' : `Scope: ${scopes.join(' or ')}.`}</p>
${parameters.length === 0 ? '' : html`<h4>Parameters</h4><ul>${parameters.map(parameterOf)}</ul>`}
${shapeOf('Body', asObject(its['requestBody']))}
<h4>Answers</h4><ul>${responses.map(([status, one]) => responseOf(document, status, asObject(one)))}</ul></section>
`
}

function parameterOf(parameter: JsonObject): Html {
  const { name, in: place, required, schema } = parameter
  const may = required === true ? '' : ', may be left out'
  return html`<li><code>${asText(name)}</code> <span class="quiet">${asText(place)}${may}</span> ${typeOf(asObject(schema))}${saidOf(parameter)}</li>`
}

function shapeOf(title: string, { content }: JsonObject): Html {
  const schema = asObject(asObject(Object.values(asObject(content))[0])['schema'])
  if (Object.keys(schema).length === 0) return html``
  return html`<h4>${title}</h4><p>${typeOf(schema)}</p>${membersOf(schema)}`
}

/** A problem refers to what it means; a success to its schema. */
function responseOf(document: JsonObject, status: string, response: JsonObject): Html {
  const { description, content } = resolved(document, response)
  const [type, body] = Object.entries(asObject(content))[0] ?? []
  const said = asText(description)
  if (type === 'application/problem+json') return html`<li><code>${status}</code> ${problemsOf(said)}</li>`
  const schema = asObject(asObject(body)['schema'])
  const shape = Object.keys(schema).length === 0 ? html`` : html` – ${typeOf(schema)}`
  return html`<li><code>${status}</code> ${prose(said)}${shape}</li>`
}

/** The description of a problem response names its problems between backticks. */
function problemsOf(description: string): Html[] {
  return description
    .split('`')
    .map((part, index) =>
      index % 2 === 0 ? html`${part}` : html`<a href="/docs/problems#${part}"><code>${part}</code></a>`,
    )
}
