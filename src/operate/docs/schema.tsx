import { asList, asObject, asText, type JsonObject } from '../openapi/json.js'
import { Prose } from './prose.js'

/** The members of a schema, those of what lies in it included; a named one is referred to. */
export function Members({ of: schema }: { of: JsonObject }) {
  const inner = asObject(schema['items'])
  const required = asList(schema['required'])
  const members = Object.entries(asObject(schema['properties']))
  if (members.length === 0) return Object.keys(inner).length > 0 ? <Members of={inner} /> : null
  return (
    <ul>
      {members.map(([name, its]) => (
        <Member name={name} its={asObject(its)} isThere={required.includes(name)} />
      ))}
    </ul>
  )
}

function Member({ name, its, isThere }: { name: string; its: JsonObject; isThere: boolean }) {
  return (
    <li>
      <code>{name}</code> <Type of={its} />
      {isThere || (
        <>
          {' '}
          <span class="quiet">may be left out</span>
        </>
      )}
      <Said of={its} />
      <Members of={its} />
    </li>
  )
}

export function Said({ of: { description } }: { of: JsonObject }) {
  if (typeof description !== 'string') return null
  return (
    <>
      {' – '}
      <Prose text={description} />
    </>
  )
}

const nameOfRef = /^#\/components\/\w+\/(.+)$/

export function Type({ of: schema }: { of: JsonObject }) {
  const name = nameOfRef.exec(asText(schema['$ref']))?.[1]
  if (name !== undefined) return <a href={`#${name}`}>{name}</a>
  const { type, items, format } = schema
  const [values, choices] = [asList(schema['enum']), asList(schema['anyOf'])]
  if (values.length > 0) {
    return values.map((value, index) => (
      <>
        {index > 0 && ', '}
        <code>{asText(value)}</code>
      </>
    ))
  }
  if (choices.length > 0) {
    return choices.map((choice, index) => (
      <>
        {index > 0 && ' or '}
        <Type of={asObject(choice)} />
      </>
    ))
  }
  if (type === 'array') {
    return (
      <>
        list of <Type of={asObject(items)} />
      </>
    )
  }
  const types = [type ?? 'anything'].flat().map(asText).join(' or ')
  return <span class="quiet">{format === undefined ? types : `${types}, ${asText(format)}`}</span>
}
