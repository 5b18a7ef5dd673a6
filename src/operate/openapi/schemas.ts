import { z } from 'zod'
import { openUp } from '../api/shapes.js'
import { asObject, isObject, type Json, type JsonObject } from './json.js'

/** Collects the schemas that have a name, so that each stands in the document once. */
export interface Schemas {
  /** How a shape stands in the document: for what comes in, or for what goes out. */
  of(shape: z.ZodType, io: 'input' | 'output'): JsonObject
  named(): JsonObject
}

export function createSchemas(): Schemas {
  const named = new Map<string, JsonObject>()
  const keep = (name: string, schema: JsonObject) => {
    const before = named.get(name)
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(schema))
      throw new Error(`two schemas have the name ${name}`)
    named.set(name, schema)
  }
  return {
    of: (shape, io) => {
      // A shape with a name is put among `$defs` when it is a part of another one.
      const converted = z.toJSONSchema(z.object({ it: shape }), {
        target: 'draft-2020-12',
        io,
        unrepresentable: 'any',
        override: ({ jsonSchema }) => {
          if (io === 'output') openUp(jsonSchema)
          withoutSafeBounds(jsonSchema)
        },
      })
      const { properties, $defs = {} } = asObject(withOurRefs(plain(converted)))
      for (const [name, schema] of Object.entries(asObject($defs))) keep(name, asObject(schema))
      return asObject(asObject(properties)['it'])
    },
    named: () => Object.fromEntries([...named].toSorted(([one], [other]) => (one < other ? -1 : 1))),
  }
}

/** Every whole number of JavaScript has them. */
function withoutSafeBounds(schema: z.core.JSONSchema.BaseSchema): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
}

/** What JSON makes of a value: without members that are undefined. */
function plain(value: unknown): Json {
  return json.parse(JSON.parse(JSON.stringify(value)))
}

const json: z.ZodType<Json> = z.lazy(() =>
  z.union([z.null(), z.boolean(), z.number(), z.string(), z.array(json), z.record(z.string(), json)]),
)

function withOurRefs(value: Json): Json {
  if (Array.isArray(value)) return value.map(withOurRefs)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name === '$ref' && typeof inner === 'string'
        ? inner.replace('#/$defs/', '#/components/schemas/')
        : withOurRefs(inner),
    ]),
  )
}
