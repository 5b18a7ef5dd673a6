import express, { type ErrorRequestHandler, type Request, type RequestHandler, type Response, Router } from 'express'
import type { Parts } from '../../app.js'
import { createAddressOf } from '../../platform/client-address.js'
import { createAsk } from '../api/ask.js'
import { readFigures } from '../figures.js'
import { serveAsset } from './assets.js'
import { readCookie, sessionCookie } from './cookies.js'
import { isFromElsewhere, safeBack, setDoorHeaders } from './door.js'
import { createTranslate, type TextName } from './languages.js'
import { renderVisit } from './layout.js'
import type { Shown } from './page.js'
import { complaint } from './pages/problem.js'
import { actions, pages } from './pages.js'
import { createSessions, isCsrfOf, type Session } from './session.js'
import { askToSignIn, createLanguageChoice, createSignIn, createSignOut, formOf, languageOfRequest } from './sign-in.js'
import type { Visit } from './visit.js'

const mostFormBytes = 65_536

export interface ConsoleParts extends Parts {
  /** Brings the gauges of the backlog up to date before they are read. */
  countBacklog: () => Promise<void>
}

/** The web console, below /console: pages over the same routes that /v1 has, for browsers. */
export function createConsole(parts: ConsoleParts): RequestHandler {
  const sessions = createSessions(parts.config.apiKeys)
  const addressOf = createAddressOf(parts.config.trustedProxies)
  const find = (request: Request) => sessions.find(readCookie(request, sessionCookie), Date.now())
  /** `of`: the page that a form belongs to, which the address of the form does not name. */
  const visitOf = (request: Request, session: Session, of?: string): Visit => {
    const language = languageOfRequest(request)
    const at = of ?? request.path
    const path = `/console${at === '/' ? '' : at}`
    const query = new URLSearchParams(of === undefined ? queryOf(request.url) : '')
    return {
      session,
      language,
      t: createTranslate(language),
      path,
      query,
      back: of === undefined && query.size === 0 ? above(path) : path,
      hasBot: parts.config.alerts !== undefined,
      timeZone: parts.config.timeZone,
      ask: createAsk(parts, { key: session.key, address: addressOf(request), via: 'console' }),
      figures: createFigures(parts),
    }
  }
  const router = Router({ caseSensitive: true })
  router.use((_request, response, next) => {
    setDoorHeaders(response)
    next()
  })
  router.get('/assets/:hash/:name', serveAsset)
  router.use(express.urlencoded({ extended: false, limit: mostFormBytes, inflate: false }))
  router.post('/sign-in', createSignIn(parts, sessions))
  router.post('/language', createLanguageChoice(parts))
  router.post('/sign-out', guarded(find, visitOf, createSignOut(parts)))
  // Where a form was sent to and the browser is sent again, by hand or by a link that was kept.
  router.get(['/sign-in', '/sign-out', '/language'], (_request, response) => response.redirect(303, '/console'))
  for (const { path, show } of pages) {
    router.get(
      path,
      signedIn(find, async (request, response, session) => {
        answer(response, await show(visitOf(request, session), paramsOf(request)))
      }),
    )
  }
  for (const { path, of, run } of actions) {
    router.post(
      path,
      guarded(find, visitOf, async (request, response, session) => {
        const visit = visitOf(request, session, of ?? withoutLast(request.path))
        answer(response, await run(visit, paramsOf(request), formOf(request)))
      }),
    )
  }
  router.use((request, response) => {
    const session = find(request)
    if (session === undefined) return askToSignIn(request, response, 401, '/console')
    const visit = visitOf(request, session, '/nowhere')
    response
      .status(404)
      .type('html')
      .send(renderVisit(visit, visit.t('notKnown'), null))
  })
  router.use(refuse(parts, find, visitOf))
  return router
}

/** Counted once for a page, when it first asks. */
function createFigures({ countBacklog, metrics }: ConsoleParts): Visit['figures'] {
  let counted: Promise<void> | undefined
  return async (name, label) => {
    counted ??= countBacklog()
    await counted
    return readFigures(metrics.registry, name, label)
  }
}

/** What somebody who is signed in is told when a request came to nothing, in a page that leads on. */
function complain(response: Response, visit: Visit, status: number, name: TextName): void {
  const shown = renderVisit(visit, visit.t('refused'), complaint(visit, visit.t(name)))
  response.status(status).type('html').send(shown)
}

type Find = (request: Request) => Session | undefined
type VisitOf = (request: Request, session: Session, of?: string) => Visit

type Guarded = (request: Request, response: Response, session: Session) => void | Promise<void>

function signedIn(find: Find, run: Guarded): RequestHandler {
  return async (request, response) => {
    const session = find(request)
    if (session === undefined) return askToSignIn(request, response, 401, safeBack(request.originalUrl))
    await run(request, response, session)
  }
}

/** A form counts only from a page of ours, and from who is signed in. */
function guarded(find: Find, visitOf: VisitOf, run: Guarded): RequestHandler {
  return async (request, response) => {
    const session = find(request)
    if (session === undefined) return askToSignIn(request, response, 401, '/console')
    if (isFromElsewhere(request) || !isCsrfOf(session, formOf(request)['csrf'])) {
      return complain(response, visitOf(request, session, withoutLast(request.path)), 403, 'staleForm')
    }
    await run(request, response, session)
  }
}

function answer(response: Response, shown: Shown): void {
  if (shown.kind === 'go') response.redirect(303, shown.to)
  else response.status(shown.status).type('html').send(shown.html)
}

function paramsOf({ params }: Request): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

/** Not by URL: `//` at the beginning of an address would be a host. */
function queryOf(url: string): string {
  return /\?(.*)$/s.exec(url)?.[1] ?? ''
}

/** The list that a page belongs to; the overview is above all. */
function above(path: string): string {
  return path === '/console' ? path : path.slice(0, path.lastIndexOf('/'))
}

function withoutLast(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}

/** Express knows an error handler by its four parameters. */
function refuse({ log }: Parts, find: Find, visitOf: VisitOf): ErrorRequestHandler {
  return (failure: unknown, request, response, next) => {
    if (response.headersSent) return next(failure)
    const given = failure instanceof Error && 'status' in failure ? Number(failure.status) : 500
    const status = given >= 400 && given < 500 ? given : 500
    if (status === 500) log.error({ event: 'console.failed', err: failure }, 'a page of the console failed')
    const name = status === 500 ? 'failed' : 'unreadable'
    const session = find(request)
    if (session !== undefined) return complain(response, visitOf(request, session, '/'), status, name)
    askToSignIn(request, response, status, '/console', createTranslate(languageOfRequest(request))(name))
  }
}
