import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { routes } from '../../src/operate/api/routes.js'
import { openApiDocument } from '../../src/operate/openapi/document.js'
import { asObject, type Json, type JsonObject, resolved } from '../../src/operate/openapi/json.js'

/** What an answer is held to: nothing goes out that the document does not name. */
export const document = openApiDocument(routes)

export interface Answered {
  status: number
  headers: Headers
  body: unknown
}

/** Throws when an answer is not one that the document has for this method and path. */
export function holdToDocument(asked: string, path: string, answered: Answered): void {
  const { status, headers, body } = answered
  const method = asked === 'HEAD' ? 'GET' : asked
  const type = (headers.get('content-type') ?? '').split(';')[0] ?? ''
  const content = asObject(asObject(responseOf(method, path, status))['content'])
  const media = asObject(content[type])
  const where = `${asked} ${path} ${status} ${type}`
  if (Object.keys(media).length === 0) throw new Error(`not in the document: ${where}`)
  if (asked === 'HEAD' || !type.endsWith('json')) return
  const fits = validatorOf(asObject(media['schema']))
  if (!fits(body)) throw new Error(`not as documented: ${where}: ${JSON.stringify(fits.errors)}`)
}

/** How the operation of a request is called; none where nothing is documented. */
export function operationOf(asked: string, path: string): JsonObject | undefined {
  const its = operationsAt(path)?.[(asked === 'HEAD' ? 'GET' : asked).toLowerCase()]
  return its === undefined ? undefined : asObject(its)
}

function responseOf(method: string, path: string, status: number): JsonObject {
  const operation = operationOf(method, path)
  if (operation === undefined)
    return otherwise(operationsAt(path) === undefined ? [401, 404, 429] : [401, 405, 429], status)
  return resolved(document, asObject(asObject(operation['responses'])[status]))
}

/** Where there is no operation there is a problem all the same. */
function otherwise(statuses: number[], status: number): JsonObject {
  if (!statuses.includes(status)) return {}
  return { content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } }
}

function operationsAt(path: string): JsonObject | undefined {
  const [pathname = ''] = path.split('?')
  const fitting = Object.entries(asObject(document['paths'])).filter(([template]) => patternOf(template).test(pathname))
  // `/v1/deliveries/retry` is no delivery.
  const [found] = fitting.toSorted(([one], [other]) => one.split('{').length - other.split('{').length)
  return found && asObject(Object.assign({}, ...fitting.map(([, its]) => its), found[1]))
}

function patternOf(template: string): RegExp {
  return new RegExp(`^${template.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}

const ajv = new Ajv2020({ strict: false, allErrors: true })
formats.default(ajv)
ajv.addSchema({
  $id: 'https://document/',
  components: { schemas: closed(asObject(document['components'])['schemas']) },
})
const validators = new Map<string, ValidateFunction>()

function validatorOf(schema: JsonObject): ValidateFunction {
  const text = JSON.stringify(schema).replaceAll('"#/components/', '"https://document/#/components/')
  const made = validators.get(text) ?? ajv.compile(JSON.parse(text))
  validators.set(text, made)
  return made
}

/** Clients have to expect members that come later; here each that nobody wrote down is a mistake. */
function closed(value: Json | undefined): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const inner = Object.fromEntries(Object.entries(value).map(([name, each]) => [name, closed(each)]))
  return 'properties' in inner && inner['type'] === 'object' ? { additionalProperties: false, ...inner } : inner
}
