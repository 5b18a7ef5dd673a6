import { type RequestHandler, Router } from 'express'
import { notAllowed } from '../api/find-route.js'
import { sendProblem } from '../api/reply.js'
import { routes } from '../api/routes.js'
import { openApiDocument } from '../openapi/document.js'
import { openApiText } from '../openapi/text.js'
import { docsPage, problemsPage } from './page.js'
import { style } from './style.js'

/** Nothing but the stylesheet is loaded, and nothing is run. */
const policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

interface Served {
  type: string
  text: string
}

/** `/openapi.json` and the pages below `/docs`, where /v1 answers; nobody needs a key. Each is made when it is first read. */
export function createDocs(): RequestHandler {
  const router = Router({ caseSensitive: true, strict: true })
  const serve = (path: string, make: () => Served) => {
    let made: Served | undefined
    router.get(path, (_request, response) => {
      made ??= make()
      response
        .set({ 'Cache-Control': 'no-cache', 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' })
        .type(made.type)
        .send(made.text)
    })
    router.all(path, (_request, response) => sendProblem(response, notAllowed(['GET'])))
  }
  serve('/openapi.json', () => ({ type: 'application/json', text: openApiText() }))
  serve('/docs', () => ({ type: 'html', text: docsPage(openApiDocument(routes)) }))
  serve('/docs/problems', () => ({ type: 'html', text: problemsPage() }))
  serve('/docs/style.css', () => ({ type: 'css', text: style }))
  return router
}
