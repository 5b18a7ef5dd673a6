import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { ApiKey } from '../../config.js'

/**
 * Who is signed in, kept by the browser alone: the name of an API key and a time, under a MAC whose key is derived from
 * that API key's secret. So a session ends with its key, any process can check it, and nothing is stored.
 */
export interface Session {
  key: ApiKey
  /** What a form must send back: no other site can read it. */
  csrf: string
}

export interface Sessions {
  /** The value of the cookie for somebody who showed the secret of `key`. */
  begin(key: ApiKey, now: number): string
  find(cookie: string | undefined, now: number): Session | undefined
}

export const sessionMs = 12 * 3_600_000

const claims = z.strictObject({ key: z.string(), at: z.int(), nonce: z.string() })

export function createSessions(keys: readonly ApiKey[]): Sessions {
  const signers = new Map(keys.map((key) => [key.name, { key, secret: signingKeyOf(key) }]))
  return {
    begin: (key, now) => {
      const said = { key: key.name, at: now, nonce: randomBytes(16).toString('base64url') }
      const body = Buffer.from(JSON.stringify(said)).toString('base64url')
      return `${body}.${macOf(signingKeyOf(key), 'session', body)}`
    },
    find: (cookie, now) => {
      const [body = '', mac = '', ...rest] = (cookie ?? '').split('.')
      const said = readClaims(body)
      const signer = said && signers.get(said.key)
      if (signer === undefined || rest.length > 0) return undefined
      if (!same(mac, macOf(signer.secret, 'session', body))) return undefined
      if (said === undefined || said.at > now || now - said.at >= sessionMs) return undefined
      return { key: signer.key, csrf: macOf(signer.secret, 'csrf', body) }
    },
  }
}

/** Whether a form carried what belongs to the session. */
export function isCsrfOf(session: Session, sent: unknown): boolean {
  return typeof sent === 'string' && same(sent, session.csrf)
}

function signingKeyOf({ secret }: ApiKey): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), 'bgc-bridge:console-session', 32))
}

function macOf(key: Buffer, purpose: string, body: string): string {
  return createHmac('sha256', key).update(`${purpose}:${body}`).digest('base64url')
}

function same(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)]
  return left.length === right.length && timingSafeEqual(left, right)
}

function readClaims(body: string): z.output<typeof claims> | undefined {
  try {
    return claims.safeParse(JSON.parse(Buffer.from(body, 'base64url').toString('utf8'))).data
  } catch {
    // No JSON: whatever it is, it is no session.
    return undefined
  }
}
