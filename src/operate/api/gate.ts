import type { Request, Response } from 'express'
import type { Parts } from '../../app.js'
import type { ApiKey } from '../../config.js'
import { createAddressOf, neighbourhoodOf } from '../../platform/client-address.js'
import { createKeyring, unauthorized } from './auth.js'
import { createKeyFailures, type FailureLimit, usualLimit } from './key-failures.js'
import { type Problem, problem } from './problems.js'

export type Admission = { kind: 'key'; key: ApiKey; address: string } | Problem

const warnEveryMs = 60_000

/**
 * Lets in who has a key, and answers an address that sends wrong ones again and again with 429.
 *
 * A right key is let in from there all the same. Behind one address there may be a whole office, or, where a proxy is
 * not listed in BGC_TRUSTED_PROXIES, everybody: a stranger with ten wrong keys a minute could else keep the vendor's
 * notices out for ever. What keeps guesses from succeeding is the length of a secret, 24 characters or more; the limit
 * tells a client that it is misconfigured, and the operator that somebody tries. Who sends no key guesses none.
 */
export function createGate({ config, log }: Parts, limit: FailureLimit = usualLimit) {
  const findKey = createKeyring(config.apiKeys)
  const addressOf = createAddressOf(config.trustedProxies)
  const failures = createKeyFailures(limit)
  let warnedAt = Number.NEGATIVE_INFINITY
  const warn = (address: string) => {
    if (performance.now() - warnedAt < warnEveryMs) return
    warnedAt = performance.now()
    log.warn({ event: 'api.wrong_keys', address, failures: limit.most }, 'too many wrong keys came from one address')
  }
  return (request: Request, response: Response): Admission => {
    const address = addressOf(request)
    response.locals['address'] = address
    const key = findKey(request.headers.authorization)
    if (key !== undefined) return { kind: 'key', key, address }
    if (!request.headers.authorization) return unauthorized
    const from = neighbourhoodOf(address)
    const waitMs = failures.waitOf(from)
    if (waitMs > 0) return tooManyFailures(waitMs)
    failures.note(from)
    if (failures.waitOf(from) > 0) warn(address)
    return unauthorized
  }
}

function tooManyFailures(waitMs: number): Problem {
  const detail = 'too many requests with a wrong key came from this address; a right one is still taken'
  return problem('too-many-failures', detail, { headers: { 'Retry-After': String(Math.ceil(waitMs / 1000)) } })
}
