import type { Request, Response } from 'express'

export const sessionCookie = 'bgc_session'
export const languageCookie = 'bgc_language'

/** The first cookie of a name; browsers send the one with the longest path first (RFC 6265 §5.4). */
export function readCookie(request: Pick<Request, 'headers'>, name: string): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}

export interface CookieOptions {
  maxAgeMs: number
  /** Whether the browser came by https: then it sends the cookie that way only. */
  secure: boolean
}

/** Lax: a link from a chat finds the operator signed in, and no form of another site carries the cookie. */
export function setCookie(response: Response, name: string, value: string, { maxAgeMs, secure }: CookieOptions): void {
  response.cookie(name, value, { path: '/console', httpOnly: true, sameSite: 'lax', secure, maxAge: maxAgeMs })
}
