import type { Request, Response } from 'express'

/** Nothing inline, nothing from elsewhere, no frames around it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const headers = {
  'Content-Security-Policy': policy,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
} as const

export function setDoorHeaders(response: Response): void {
  response.set({ ...headers, 'Cache-Control': 'no-store' })
}

/** A form of another site, as browsers tell it; those that tell nothing have the token to show. */
export function isFromElsewhere({ headers: { 'sec-fetch-site': site } }: Pick<Request, 'headers'>): boolean {
  return site !== undefined && site !== 'same-origin' && site !== 'none'
}

/** A path of the console that was asked for, or the console's first page: never an address of somebody else's. */
export function safeBack(path: unknown): string {
  return typeof path === 'string' && /^\/console(?:[/?][^\\\s]*)?$/.test(path) && !path.includes('//')
    ? path
    : '/console'
}
