import { createHash, timingSafeEqual } from 'node:crypto'
import type { ApiKey, Scope } from '../../config.js'
import { type Problem, problem } from './problems.js'

export type FindKey = (authorization: string | undefined) => ApiKey | undefined

/** Compares hashes of one length, and with every key: the time tells nothing about a secret. */
export function createKeyring(keys: readonly ApiKey[]): FindKey {
  const known = keys.map((key) => ({ key, hash: hashOf(key.secret) }))
  return (authorization) => {
    const secret = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1]
    if (secret === undefined) return undefined
    const hash = hashOf(secret)
    return known.filter((each) => timingSafeEqual(each.hash, hash)).at(0)?.key
  }
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

export const unauthorized = problem('unauthorized', 'expected Authorization: Bearer with the secret of an API key', {
  headers: { 'WWW-Authenticate': 'Bearer' },
})

/** The problem of a key that has none of the scopes. */
export function missingScope(key: ApiKey, scopes: readonly Scope[]): Problem | undefined {
  if (scopes.some((scope) => key.scopes.includes(scope))) return undefined
  return problem('forbidden', `the key ${key.name} lacks the scope ${scopes.join(' or ')}`)
}
