import { type Problem, problem } from './problems.js'
import type { Route } from './route.js'

export type Found = { kind: 'route'; route: Route; params: Record<string, string> } | Problem

/** The line of the table that a method and a path as it came ask for. */
export function findRoute(routes: readonly Route[], asked: string, pathname: string): Found {
  const method = asked === 'HEAD' ? 'GET' : asked
  const fitting = routes.flatMap((route) => {
    const params = matchPath(route.path, pathname)
    return params === undefined ? [] : [{ kind: 'route' as const, route, params }]
  })
  if (fitting.length === 0) return problem('not-found', 'nothing is at this path')
  const found = fitting.find(({ route }) => route.method === method)
  if (found === undefined) return notAllowed(fitting.map(({ route }) => route.method))
  const params = decodeAll(found.params)
  return params === undefined
    ? problem('invalid-request', 'expected a path with whole percent-encodings of UTF-8')
    : { ...found, params }
}

export function notAllowed(methods: readonly string[]): Problem {
  const all = methods.includes('GET') ? ['HEAD', ...methods] : methods
  const allow = [...new Set(all)].toSorted().join(', ')
  return problem('method-not-allowed', `the path takes ${allow}`, { headers: { Allow: allow } })
}

/** The parameters of a path that fits the pattern, as they came. */
function matchPath(pattern: string, pathname: string): Record<string, string> | undefined {
  const wanted = pattern.split('/')
  const given = pathname.split('/')
  if (wanted.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, segment] of given.entries()) {
    const name = /^\{(\w+)\}$/.exec(wanted[index] ?? '')?.[1]
    if (name === undefined ? segment !== wanted[index] : segment === '') return undefined
    if (name !== undefined) params[name] = segment
  }
  return params
}

function decodeAll(params: Record<string, string>): Record<string, string> | undefined {
  try {
    return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value)]))
  } catch (failure) {
    if (failure instanceof URIError) return undefined
    throw failure
  }
}
