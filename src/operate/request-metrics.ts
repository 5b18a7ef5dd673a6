import type { RequestHandler } from 'express'
import type { Metrics } from './metrics.js'

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])

/** Counts requests by the template of their route, which the dispatch leaves in `locals`: a path would be a label without bound. */
export function countRequests({
  requests,
  requestSeconds,
}: Pick<Metrics, 'requests' | 'requestSeconds'>): RequestHandler {
  return (request, response, next) => {
    const started = performance.now()
    response.once('finish', () => {
      const route = String(response.locals['route'] ?? 'none')
      const method = methods.has(request.method) ? request.method : 'other'
      requests.inc({ method, route, status: String(response.statusCode) })
      requestSeconds.observe({ route }, (performance.now() - started) / 1000)
    })
    next()
  }
}
