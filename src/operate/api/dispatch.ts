import type { Request, RequestHandler, Response } from 'express'
import type { Parts } from '../../app.js'
import { missingScope } from './auth.js'
import { readBody } from './body.js'
import { type Admission, createGate } from './gate.js'
import type { FailureLimit } from './key-failures.js'
import { type Problem, problem, problemJson, problems } from './problems.js'
import { type Answer, type Route, readsBody } from './route.js'

/** Answers everything below /v1 from the table of routes: key, path, method, scope, body, and only then the route. */
export function createDispatch(parts: Parts, routes: readonly Route[], limit?: FailureLimit): RequestHandler {
  const admit = createGate(parts, limit)
  return async (request, response) => {
    const { answer, status } = await answerTo(parts, routes, admit(request, response), request, response)
    // A client that hung up takes no answer.
    if (response.headersSent || response.destroyed) return
    if (answer.kind === 'problem') sendProblem(response, answer)
    else response.status(status).set('Cache-Control', 'no-store').json(answer.body)
  }
}

interface Answered {
  answer: Answer
  status: number
}

async function answerTo(
  parts: Parts,
  routes: readonly Route[],
  admission: Admission,
  request: Request,
  response: Response,
): Promise<Answered> {
  const refuse = (answer: Answer): Answered => ({ answer, status: 0 })
  if (admission.kind === 'problem') return refuse(admission)
  const { key } = admission
  const found = findRoute(routes, request.method, request.baseUrl + request.path)
  if (found.kind === 'problem') return refuse(found)
  response.locals['route'] = found.route.path
  const forbidden = missingScope(key, found.route.scopes)
  if (forbidden) return refuse(forbidden)
  const body = readsBody(found.route)
    ? await readBody(request, response)
    : ({ kind: 'body', value: undefined } as const)
  if (body.kind === 'problem') return refuse(body)
  const raw = { params: found.params, query: queryOf(request), body: body.value, key }
  return { answer: await found.route.answer(parts, raw), status: found.route.status }
}

function queryOf({ url }: Request): URLSearchParams {
  const start = url.indexOf('?')
  return new URLSearchParams(start < 0 ? '' : url.slice(start))
}

type Found = { kind: 'route'; route: Route; params: Record<string, string> } | Problem

function findRoute(routes: readonly Route[], asked: string, pathname: string): Found {
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

export function sendProblem(response: Response, answer: Problem): void {
  response
    .status(problems[answer.name].status)
    .set({ 'Cache-Control': 'no-store', ...answer.headers })
    .type('application/problem+json')
    .send(JSON.stringify(problemJson(answer)))
}
