/** JSON as the document is made of. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json
}

/** What a member of the document is read as; what it is not comes out empty. */
export function asObject(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {}
}

export function asList(value: Json | undefined): readonly Json[] {
  return isList(value) ? value : []
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value)
}

export function asText(value: Json | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What a `$ref` stands for. */
export function resolved(document: JsonObject, one: JsonObject): JsonObject {
  const [, , kind = '', name = ''] = asText(one['$ref']).split('/')
  return name === '' ? one : asObject(asObject(asObject(document['components'])[kind])[name])
}
