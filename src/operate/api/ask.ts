import type { z } from 'zod'
import type { Parts } from '../../app.js'
import type { ApiKey } from '../../config.js'
import { missingScope } from './auth.js'
import type { Problem } from './problems.js'
import { isWrite, type RawRequest } from './route.js'
import { routes } from './routes.js'

/** An operation of /v1, asked from inside: the same checks, scopes and entries in the audit, without HTTP between. */
export type Ask = <S extends z.ZodType>(
  operation: string,
  answer: S,
  more?: {
    params?: Readonly<Record<string, string>>
    query?: Readonly<Record<string, string>> | URLSearchParams
    body?: unknown
  },
) => Promise<{ kind: 'ok'; body: z.output<S> } | Problem>

const byId = new Map(routes.map((route) => [route.id, route]))

export function createAsk(parts: Parts, asker: Pick<RawRequest, 'key' | 'address' | 'via'>): Ask {
  return async (operation, schema, { params = {}, query = {}, body } = {}) => {
    const route = byId.get(operation)
    if (route === undefined) throw new Error(`there is no operation ${operation}`)
    const forbidden = missingScope(asker.key, route.scopes)
    if (forbidden) return forbidden
    const checked = route.check({ params, query: new URLSearchParams(query), body, ...asker })
    if (checked.kind === 'problem') return checked
    const answer = await checked.run(parts)
    return answer.kind === 'problem' ? answer : { kind: 'ok', body: schema.parse(answer.body) }
  }
}

/** Whether an operation writes nothing but its entry in the audit. */
export function onlyReads(operation: string): boolean {
  const route = byId.get(operation)
  return route !== undefined && !isWrite(route)
}

/** Whether a key may do what a button asks for: buttons that would be refused are not shown. */
export function allows(key: ApiKey, operation: string): boolean {
  const route = byId.get(operation)
  return route !== undefined && missingScope(key, route.scopes) === undefined
}
