import type { Request, RequestHandler, Response } from 'express'
import type { Parts } from '../../app.js'
import type { Mark } from './audited.js'
import { missingScope } from './auth.js'
import { readBody } from './body.js'
import { findRoute } from './find-route.js'
import { createGate } from './gate.js'
import { createOnce } from './idempotency.js'
import type { FailureLimit } from './key-failures.js'
import { createRates, type Rates, usualRates } from './rates.js'
import { type Reply, replyOf, sendReply } from './reply.js'
import { isWrite, type Route, readsBody } from './route.js'

export interface DispatchLimits {
  /** Of wrong keys; the usual one when left out. */
  failureLimit?: FailureLimit
  /** Of right ones. */
  rates?: Rates
}

/** Answers everything below /v1 from the table of routes. */
export function createDispatch(parts: Parts, routes: readonly Route[], limits: DispatchLimits): RequestHandler {
  const answerTo = createChain(parts, routes, limits)
  return async (request, response) => {
    const reply = await answerTo(request, response)
    // A client that hung up takes no answer.
    if (!response.headersSent && !response.destroyed) sendReply(response, reply)
  }
}

/** One step after the other, and the first that refuses answers: key, path and method, rate, scope, body, once, run. */
function createChain(parts: Parts, routes: readonly Route[], { failureLimit, rates = usualRates }: DispatchLimits) {
  const admit = createGate(parts, failureLimit)
  const count = createRates(rates)
  const once = createOnce(parts)
  return async (request: Request, response: Response): Promise<Reply> => {
    const admission = admit(request, response)
    if (admission.kind === 'problem') return replyOf(admission)
    const { key, address } = admission
    const path = request.baseUrl + request.path
    const found = findRoute(routes, request.method, path)
    const { headers, refusal } = count(key, found)
    response.set(headers)
    if (refusal !== undefined) return replyOf(refusal)
    if (found.kind === 'problem') return replyOf(found)
    const { route, params } = found
    response.locals['route'] = route.path
    const forbidden = missingScope(key, route.scopes)
    if (forbidden !== undefined) return replyOf(forbidden)
    const body = await bodyOf(route, request, response)
    if (body.kind === 'problem') return replyOf(body)
    const query = queryOf(request)
    const checked = route.check({ params, query, body: body.value, key, address })
    if (checked.kind === 'problem') return replyOf(checked)
    const run = async (mark?: Mark): Promise<Reply> => {
      const answer = await checked.run(parts, mark)
      return answer.kind === 'problem' ? replyOf(answer) : { status: route.status, body: answer.body, headers: {} }
    }
    if (!isWrite(route)) return run()
    return once(
      { key, given: request.headers['idempotency-key'], method: route.method, path, query, body: body.value },
      run,
    )
  }
}

async function bodyOf(route: Route, request: Request, response: Response) {
  return readsBody(route) ? readBody(request, response) : ({ kind: 'body', value: undefined } as const)
}

function queryOf({ url }: Request): URLSearchParams {
  const start = url.indexOf('?')
  return new URLSearchParams(start < 0 ? '' : url.slice(start))
}
