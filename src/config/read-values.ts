import { codeOf } from './apps.js'
import { type Values, type Variable, variables } from './variables.js'

export type Environment = Readonly<Record<string, string | undefined>>
export type Complain = (text: string) => void
export type ReadFile = (path: string) => string

/** Reads and parses each variable of the table. `unset`: those that were not given at all. */
export function readValues(env: Environment, readFile: ReadFile, complain: Complain) {
  const values: Partial<Record<string, unknown>> = {}
  const unset = new Set<string>()
  for (const [name, variable] of Object.entries<Variable<unknown>>(variables)) {
    const given = readText(name, variable, env, readFile, complain)
    if (given === undefined) unset.add(name)
    if (given === unreadable) continue
    const raw = given ?? variable.fallback
    if (raw === undefined) continue
    if (variable.secret && raw === variable.example && raw.includes('replace-')) {
      complain(`${name}: expected a value of your own, got the placeholder of .env.example`)
      continue
    }
    const parsed = variable.parse.safeParse(raw)
    if (parsed.success) values[name] = parsed.data
    else complain(`${name}: ${parsed.error.issues[0]?.message}${variable.secret ? '' : `, got ${show(raw)}`}`)
  }
  // Each value came out of the parser that its type names; a refused one stops the start before it is used.
  return { values: values as Values, unset }
}

/** Given, and complained about already: no second complaint says that it is missing. */
const unreadable = Symbol('unreadable')

function readText(
  name: string,
  variable: Variable<unknown>,
  env: Environment,
  readFile: ReadFile,
  complain: Complain,
): string | typeof unreadable | undefined {
  const plain = env[name] || undefined
  const path = variable.secret ? env[`${name}_FILE`] : undefined
  if (!path) return plain
  if (plain !== undefined) complain(`${name}: set together with ${name}_FILE; expected one of them`)
  try {
    const content = readFile(path).replace(/\r?\n$/, '')
    if (content !== '') return content
    complain(`${name}_FILE: the file is empty`)
  } catch (cause) {
    complain(`${name}_FILE: cannot be read (${codeOf(cause)})`)
  }
  return unreadable
}

/** What was given, without the user and password that an address may hold. */
function show(raw: string): string {
  return JSON.stringify(raw.replace(/\/\/[^/?#]*@/, '//***@'))
}
