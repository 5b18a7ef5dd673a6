import { type RequestHandler, Router } from 'express'
import { createConsole } from '../console/app.js'
import { createDocs } from '../docs/routes.js'
import { countRequests } from '../request-metrics.js'
import type { ApiOptions } from './app.js'
import { createDispatch } from './dispatch.js'
import { routes } from './routes.js'

/** What people ask: /v1, the console over it, and the pages about it. */
export function createOperators(options: ApiOptions): RequestHandler {
  const router = Router({ caseSensitive: true })
  router.use(createDocs())
  router.use('/console', createConsole(options))
  router.use('/v1', countRequests(options.metrics), createDispatch(options, routes, options))
  return router
}
