import { asList, asObject, asText, type Json, type JsonObject, resolved } from '../openapi/json.js'
import { Prose } from './prose.js'
import { Members, Said, Type } from './schema.js'

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

export function Section({ document, operation }: { document: JsonObject; operation: Operation }) {
  const { id, method, path, its } = operation
  const scopes = asList(its['security'])
    .flatMap((one) => Object.values(asObject(one)).flatMap(asList))
    .map(asText)
  const parameters = asList(its['parameters']).map((one) => resolved(document, asObject(one)))
  const responses = Object.entries(asObject(its['responses']))
  return (
    <section>
      <h3 id={id}>
        <a href={`#${id}`}>
          <code>
            {method} {path}
          </code>
        </a>
      </h3>
      <p>
        <Prose text={asText(its['summary'])} />. {scopes.length === 0 ? 'No key.' : `Scope: ${scopes.join(' or ')}.`}
      </p>
      {parameters.length > 0 && <Parameters all={parameters} />}
      <Body schema={schemaOf(Object.values(contentOf(asObject(its['requestBody'])))[0])} />
      <h4>Answers</h4>
      <ul>
        {responses.map(([status, one]) => (
          <Answer status={status} response={resolved(document, asObject(one))} />
        ))}
      </ul>
    </section>
  )
}

function Parameters({ all }: { all: readonly JsonObject[] }) {
  return (
    <>
      <h4>Parameters</h4>
      <ul>
        {all.map((parameter) => (
          <li>
            <code>{asText(parameter['name'])}</code>{' '}
            <span class="quiet">
              {asText(parameter['in'])}
              {parameter['required'] === true ? '' : ', may be left out'}
            </span>{' '}
            <Type of={asObject(parameter['schema'])} />
            <Said of={parameter} />
          </li>
        ))}
      </ul>
    </>
  )
}

const contentOf = ({ content }: JsonObject) => asObject(content)

/** Of a body; undefined where nothing is said about it. */
function schemaOf(body: Json | undefined): JsonObject | undefined {
  const schema = asObject(asObject(body)['schema'])
  return Object.keys(schema).length === 0 ? undefined : schema
}

function Body({ schema }: { schema: JsonObject | undefined }) {
  if (schema === undefined) return null
  return (
    <>
      <h4>Body</h4>
      <p>
        <Type of={schema} />
      </p>
      <Members of={schema} />
    </>
  )
}

/** A problem refers to what it means; a success to its schema. */
function Answer({ status, response }: { status: string; response: JsonObject }) {
  const said = asText(response['description'])
  const [type, body] = Object.entries(contentOf(response))[0] ?? []
  const schema = schemaOf(body)
  return (
    <li>
      <code>{status}</code> {type === 'application/problem+json' ? <Problems said={said} /> : <Prose text={said} />}
      {type !== 'application/problem+json' && schema !== undefined && (
        <>
          {' – '}
          <Type of={schema} />
        </>
      )}
    </li>
  )
}

/** The description of a problem response names its problems between backticks. */
function Problems({ said }: { said: string }) {
  return said.split('`').map((part, index) =>
    index % 2 === 0 ? (
      part
    ) : (
      <a href={`/docs/problems#${part}`}>
        <code>{part}</code>
      </a>
    ),
  )
}
