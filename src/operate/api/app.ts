import type { RequestListener } from 'node:http'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import type { Parts } from '../../app.js'
import type { Readiness } from '../health.js'
import type { DispatchLimits } from './dispatch.js'
import { problemOfFailure } from './failures.js'
import { notAllowed } from './find-route.js'
import { problem } from './problems.js'
import { sendProblem } from './reply.js'

export interface ApiOptions extends Parts, DispatchLimits {
  ready: () => Promise<Readiness>
  /** Whether /v1 answers here. */
  operators: boolean
  metricsHere: boolean
  /** Brings the gauges of the backlog up to date before they are read. */
  countBacklog: () => Promise<void>
  /** Answers below /reports, to whoever has a link. */
  reports?: RequestHandler
}

/** Everything on HTTP but the webhook. */
export async function createApi(options: ApiOptions): Promise<RequestListener> {
  const { ready, metricsHere, metrics, operators, log, countBacklog, reports } = options
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.enable('case sensitive routing')
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' })
  })
  app.get('/readyz', async (_request, response) => {
    const readiness = await ready()
    response.status(readiness.status === 'unavailable' ? 503 : 200).json(readiness)
  })
  if (metricsHere) {
    app.get('/metrics', async (_request, response) => {
      await countBacklog()
      response.type(metrics.registry.contentType).send(await metrics.registry.metrics())
    })
  }
  app.all(metricsHere ? ['/healthz', '/readyz', '/metrics'] : ['/healthz', '/readyz'], refuseMethod)
  if (operators) {
    // Half of the code of the service, which a process that only works does without.
    const { createOperators } = await import('./operators.js')
    app.use(createOperators(options))
  }
  if (reports !== undefined) app.use('/reports', reports)
  app.use(refusePath)
  app.use(refuseFailure(log))
  return app
}

const refuseMethod: RequestHandler = (_request, response) => sendProblem(response, notAllowed(['GET']))

const refusePath: RequestHandler = (_request, response) => {
  sendProblem(response, problem('not-found', 'nothing is at this path'))
}

/** Express knows an error handler by its four parameters. */
function refuseFailure(log: Parts['log']): ErrorRequestHandler {
  return (failure: unknown, request, response, next) => {
    // The rest of an answer cannot be taken back: Express ends the connection.
    if (response.headersSent) return next(failure)
    const route = String(response.locals['route'] ?? 'none')
    const address = String(response.locals['address'] ?? 'unknown')
    sendProblem(response, problemOfFailure(log, failure, { method: request.method, route, address }))
  }
}
