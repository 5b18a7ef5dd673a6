import { randomBytes } from 'node:crypto'

export type Token = {
  value: string
  kind: 'tenant' | 'app'
  appId: string
  tenantKey?: string
  expiresAt: number
}

/** The same token is given while at least this much of its life remains (contract §4.2). */
const renewalMs = 30 * 60_000

/** Tokens and their lives. Their length varies on purpose: nobody may rely on it (contract §4.2). */
export class Tokens {
  #lifeMs: number
  #byValue = new Map<string, Token>()
  #latest = new Map<string, Token>()

  constructor(lifeSeconds: number) {
    this.#lifeMs = lifeSeconds * 1000
  }

  tenantToken(appId: string, tenantKey: string): Token {
    return this.#give({ kind: 'tenant', appId, tenantKey })
  }

  appToken(appId: string): Token {
    return this.#give({ kind: 'app', appId })
  }

  find(value: string): Token | undefined {
    const token = this.#byValue.get(value)
    return token && token.expiresAt > Date.now() ? token : undefined
  }

  secondsLeft(token: Token): number {
    return Math.floor((token.expiresAt - Date.now()) / 1000)
  }

  /** Kills the tokens of an app, of one of its tenants, or all; the next request gets a new one. */
  revoke({ appId, tenantKey }: { appId?: string; tenantKey?: string } = {}): number {
    const doomed = [...this.#byValue.values()].filter(
      (token) =>
        (appId === undefined || token.appId === appId) && (tenantKey === undefined || token.tenantKey === tenantKey),
    )
    for (const token of doomed) {
      this.#byValue.delete(token.value)
      this.#latest.delete(keyOf(token))
    }
    return doomed.length
  }

  #give(wanted: Pick<Token, 'kind' | 'appId' | 'tenantKey'>): Token {
    const latest = this.#latest.get(keyOf(wanted))
    if (latest && latest.expiresAt - Date.now() >= renewalMs) return latest
    const token: Token = { ...wanted, value: newValue(wanted.kind), expiresAt: Date.now() + this.#lifeMs }
    this.#byValue.set(token.value, token)
    this.#latest.set(keyOf(token), token)
    return token
  }
}

function keyOf({ kind, appId, tenantKey }: Pick<Token, 'kind' | 'appId' | 'tenantKey'>): string {
  return `${kind}|${appId}|${tenantKey ?? ''}`
}

function newValue(kind: Token['kind']): string {
  const bytes = randomBytes(24 + Math.floor(Math.random() * 200))
  return `${kind === 'tenant' ? 't' : 'a'}-${bytes.toString('base64url')}`
}
