import type { Request, RequestHandler, Response } from 'express'
import type { Parts } from '../../app.js'
import { addToAudit } from '../../flow/audit.js'
import { createAddressOf, neighbourhoodOf } from '../../platform/client-address.js'
import { createKeyring } from '../api/auth.js'
import { createKeyFailures, usualLimit } from '../api/key-failures.js'
import { languageCookie, readCookie, sessionCookie, setCookie } from './cookies.js'
import { isFromElsewhere, safeBack } from './door.js'
import { createTranslate, languageOf, languages } from './languages.js'
import { renderSignIn } from './pages/sign-in.js'
import { type Session, type Sessions, sessionMs } from './session.js'

/** Where the browser's language is remembered for a year. */
const languageMs = 365 * 86_400_000

export function languageOfRequest(request: Request) {
  return languageOf(readCookie(request, languageCookie), request.headers['accept-language'])
}

export function askToSignIn(request: Request, response: Response, status: number, back: string, complaint?: string) {
  const language = languageOfRequest(request)
  const t = createTranslate(language)
  response
    .status(status)
    .type('html')
    .send(renderSignIn({ t, language, back, ...(complaint !== undefined && { complaint }) }))
}

/**
 * Takes the secret of an API key and begins a session. As at /v1, an address that shows wrong keys again and again is
 * told to wait, and a right key is let in all the same (src/operate/api/gate.ts tells why).
 */
export function createSignIn(parts: Parts, sessions: Sessions): RequestHandler {
  const findKey = createKeyring(parts.config.apiKeys)
  const addressOf = createAddressOf(parts.config.trustedProxies)
  const failures = createKeyFailures(usualLimit)
  return async (request, response) => {
    const t = createTranslate(languageOfRequest(request))
    const { secret, back: wanted } = formOf(request)
    const back = safeBack(wanted)
    if (isFromElsewhere(request)) return askToSignIn(request, response, 403, back, t('staleForm'))
    const key = secret === undefined ? undefined : findKey(`Bearer ${secret.trim()}`)
    const address = addressOf(request)
    if (key === undefined) {
      const from = neighbourhoodOf(address)
      const waitMs = failures.waitOf(from)
      if (waitMs === 0) failures.note(from)
      parts.log.warn({ event: 'console.sign_in_refused', address }, 'somebody tried to sign in with a wrong key')
      if (waitMs === 0) return askToSignIn(request, response, 401, back, t('wrongKey'))
      const seconds = Math.ceil(waitMs / 1000)
      response.set('Retry-After', String(seconds))
      return askToSignIn(request, response, 429, back, t('tooManyTries', { seconds }))
    }
    const who = { actor: key.name, via: 'console', address } as const
    await addToAudit(parts.database.pool, [{ ...who, action: 'session.begin', subject: 'session', outcome: 'done' }])
    parts.log.info({ event: 'console.signed_in', key: key.name, address }, 'somebody signed in')
    const secure = cameByHttps(request, parts)
    setCookie(response, sessionCookie, sessions.begin(key, Date.now()), { maxAgeMs: sessionMs, secure })
    response.redirect(303, back)
  }
}

export function createSignOut(parts: Parts) {
  const addressOf = createAddressOf(parts.config.trustedProxies)
  return async (request: Request, response: Response, { key }: Session): Promise<void> => {
    // First, so that the browser forgets the session also when the audit cannot be written.
    setCookie(response, sessionCookie, '', { maxAgeMs: 0, secure: cameByHttps(request, parts) })
    const who = { actor: key.name, via: 'console', address: addressOf(request) } as const
    await addToAudit(parts.database.pool, [{ ...who, action: 'session.end', subject: 'session', outcome: 'done' }])
    response.redirect(303, '/console')
  }
}

export function createLanguageChoice(parts: Parts): RequestHandler {
  return (request, response) => {
    const { language, back } = formOf(request)
    const chosen = languages.find((each) => each === language)
    if (chosen !== undefined) {
      setCookie(response, languageCookie, chosen, { maxAgeMs: languageMs, secure: cameByHttps(request, parts) })
    }
    response.redirect(303, safeBack(back))
  }
}

/** Believed where there are proxies to be believed at all: a browser that lies harms its own cookie only. */
function cameByHttps(request: Request, { config }: Parts): boolean {
  return config.trustedProxies.length > 0 && request.headers['x-forwarded-proto'] === 'https'
}

/** The fields of a form; those that came more than once count as not there. */
export function formOf({ body }: Pick<Request, 'body'>): Partial<Record<string, string>> {
  const fields: unknown = body
  if (typeof fields !== 'object' || fields === null) return {}
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => typeof value === 'string'))
}
