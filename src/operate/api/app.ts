import type { RequestListener } from 'node:http'
import express from 'express'
import type { Parts } from '../../app.js'
import type { Readiness } from '../health.js'

export interface ApiOptions extends Parts {
  ready: () => Promise<Readiness>
  /** Whether /v1 answers here. */
  operators: boolean
  metricsHere: boolean
}

/** Everything on HTTP but the webhook. */
export function createApi({ ready, metricsHere, metrics }: ApiOptions): RequestListener {
  const app = express()
  app.disable('x-powered-by')
  app.get('/healthz', (_request, response) => {
    response.json({ status: 'ok' })
  })
  app.get('/readyz', async (_request, response) => {
    const readiness = await ready()
    response.status(readiness.status === 'unavailable' ? 503 : 200).json(readiness)
  })
  if (metricsHere) {
    app.get('/metrics', async (_request, response) => {
      response.type(metrics.registry.contentType).send(await metrics.registry.metrics())
    })
  }
  return app
}
