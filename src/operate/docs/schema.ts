import { asList, asObject, asText, type Json, type JsonObject } from '../openapi/json.js'
import { type Html, html, prose } from './html.js'

/** The members of a schema, those of what lies in it included; a named one is referred to. */
export function membersOf(schema: JsonObject): Html {
  const inner = asObject(schema['items'])
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  const members = Object.entries(asObject(schema['properties']))
  if (members.length === 0) return Object.keys(inner).length > 0 ? membersOf(inner) : html``
  return html`<ul>${members.map(([name, its]) => memberOf(name, asObject(its), required.includes(name)))}</ul>`
}

function memberOf(name: string, its: JsonObject, isThere: boolean): Html {
  const may = isThere ? html`` : html` <span class="quiet">may be left out</span>`
  return html`<li><code>${name}</code> ${typeOf(its)}${may}${saidOf(its)}${membersOf(its)}</li>`
}

export function saidOf({ description }: JsonObject): Html {
  return typeof description === 'string' ? html` – ${prose(description)}` : html``
}

const nameOfRef = /^#\/components\/\w+\/(.+)$/

export function typeOf(schema: JsonObject): Html {
  const name = nameOfRef.exec(asText(schema['$ref']))?.[1]
  if (name !== undefined) return html`<a href="#${name}">${name}</a>`
  const { type, items, format } = schema
  const [values, choices] = [asList(schema['enum']), asList(schema['anyOf'])]
  if (values.length > 0) return joined(values, ', ', (value) => html`<code>${asText(value)}</code>`)
  if (choices.length > 0) return joined(choices, ' or ', (choice) => typeOf(asObject(choice)))
  if (type === 'array') return html`list of ${typeOf(asObject(items))}`
  const types = [type ?? 'anything'].flat().map(asText).join(' or ')
  return html`<span class="quiet">${types}${format === undefined ? '' : `, ${asText(format)}`}</span>`
}

function joined(values: readonly Json[], between: string, show: (value: Json) => Html): Html {
  return html`${values.map((value, index) => html`${index === 0 ? '' : between}${show(value)}`)}`
}
