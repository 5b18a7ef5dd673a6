import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'

/**
 * Tokens and app tickets, shared by all processes. Times are milliseconds since 1970 of the caller's clock; a token or
 * ticket that no key opens any more counts as missing.
 */
export interface TokenStore {
  read(key: TokenKey): Promise<StoredToken | null>
  /** The right to refresh, until `untilMs`; false while another process has it. */
  lease(key: TokenKey, nowMs: number, untilMs: number): Promise<boolean>
  /** Ends the lease. */
  save(key: TokenKey, token: string, expiresAtMs: number): Promise<void>
  release(key: TokenKey): Promise<void>
  /** Forgets exactly this token; one that another process has put in its place stays. */
  evict(key: TokenKey, token: string): Promise<void>
  readTicket(appId: string): Promise<string | null>
  /** Keeps the newest by `ts`, Feishu's own time of the event. */
  saveTicket(appId: string, ticket: string, ts: string, nowMs: number): Promise<void>
  /** Whether a new ticket may be asked for now: at most once in `everyMs` over all processes. */
  mayAskForTicket(appId: string, nowMs: number, everyMs: number): Promise<boolean>
}

/** `tenantKey` is empty for the app's own token. */
export interface TokenKey {
  appId: string
  tenantKey: string
}

export interface StoredToken {
  token: string
  expiresAtMs: number
}

interface TokenRow {
  token: Buffer | null
  expires_at: Date | null
}

export const tokenContext = ({ appId, tenantKey }: TokenKey): string => `feishu_tokens:${appId}:${tenantKey}`
export const ticketContext = (appId: string): string => `app_tickets:${appId}`
const at = (ms: number) => new Date(ms)

export function createTokenStore(pool: Sql, sealer: Sealer): TokenStore {
  const readRow = async ({ appId, tenantKey }: TokenKey) => {
    const text = 'SELECT token, expires_at FROM feishu_tokens WHERE app_id = $1 AND tenant_key = $2'
    return (await pool.query<TokenRow>(text, [appId, tenantKey])).rows[0]
  }
  return {
    read: async (key) => {
      const row = await readRow(key)
      const token = open(sealer, row?.token, tokenContext(key))
      return token === null || !row?.expires_at ? null : { token, expiresAtMs: row.expires_at.getTime() }
    },
    lease: async (key, nowMs, untilMs) => {
      const { rowCount } = await pool.query(leaseSql, [key.appId, key.tenantKey, at(untilMs), at(nowMs)])
      return rowCount === 1
    },
    save: async (key, token, expiresAtMs) => {
      const sealed = sealer.seal(Buffer.from(token), tokenContext(key))
      await pool.query(saveSql, [key.appId, key.tenantKey, sealed, at(expiresAtMs)])
    },
    release: async ({ appId, tenantKey }) => {
      const text = 'UPDATE feishu_tokens SET refreshing_until = NULL WHERE app_id = $1 AND tenant_key = $2'
      await pool.query(text, [appId, tenantKey])
    },
    evict: async (key, token) => {
      const sealed = (await readRow(key))?.token
      if (!sealed || open(sealer, sealed, tokenContext(key)) !== token) return
      await pool.query(evictSql, [key.appId, key.tenantKey, sealed])
    },
    ...ticketStore(pool, sealer),
  }
}

function ticketStore(pool: Sql, sealer: Sealer): Pick<TokenStore, 'readTicket' | 'saveTicket' | 'mayAskForTicket'> {
  return {
    readTicket: async (appId) => {
      const text = 'SELECT ticket FROM app_tickets WHERE app_id = $1'
      const { rows } = await pool.query<{ ticket: Buffer | null }>(text, [appId])
      return open(sealer, rows[0]?.ticket, ticketContext(appId))
    },
    saveTicket: async (appId, ticket, ts, nowMs) => {
      const sealed = sealer.seal(Buffer.from(ticket), ticketContext(appId))
      await pool.query(saveTicketSql, [appId, sealed, /^\d{1,20}(\.\d{1,9})?$/.test(ts) ? ts : '0', at(nowMs)])
    },
    mayAskForTicket: async (appId, nowMs, everyMs) => {
      const { rowCount } = await pool.query(askForTicketSql, [appId, at(nowMs), at(nowMs - everyMs)])
      return rowCount === 1
    },
  }
}

/** What cannot be opened is got anew from Feishu, so a lost key costs a call and no more. */
function open(sealer: Sealer, sealed: Buffer | null | undefined, context: string): string | null {
  if (!sealed) return null
  try {
    return sealer.open(sealed, context).toString('utf8')
  } catch {
    return null
  }
}

/** What ends, or was asked, this much later than now could make it was written by a clock that is wrong, or was. */
const wrongBy = `interval '1 minute'`

const leaseSql = `
  INSERT INTO feishu_tokens (app_id, tenant_key, refreshing_until) VALUES ($1, $2, $3)
  ON CONFLICT (app_id, tenant_key) DO UPDATE SET refreshing_until = excluded.refreshing_until
  WHERE feishu_tokens.refreshing_until IS NULL OR feishu_tokens.refreshing_until <= $4
     OR feishu_tokens.refreshing_until > $3::timestamptz + ${wrongBy}`

const saveSql = `
  INSERT INTO feishu_tokens (app_id, tenant_key, token, expires_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (app_id, tenant_key) DO UPDATE
  SET token = excluded.token, expires_at = excluded.expires_at, refreshing_until = NULL`

/** By the sealed bytes, which no two seals share: a token that was put there meanwhile is not touched. */
const evictSql = `
  UPDATE feishu_tokens SET token = NULL, expires_at = NULL WHERE app_id = $1 AND tenant_key = $2 AND token = $3`

/** The same event may arrive twice and late. */
const saveTicketSql = `
  INSERT INTO app_tickets (app_id, ticket, ts, received_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (app_id) DO UPDATE
  SET ticket = excluded.ticket, ts = excluded.ts, received_at = excluded.received_at
  WHERE app_tickets.ticket IS NULL OR app_tickets.ts::numeric <= excluded.ts::numeric`

const askForTicketSql = `
  INSERT INTO app_tickets (app_id, resend_asked_at) VALUES ($1, $2)
  ON CONFLICT (app_id) DO UPDATE SET resend_asked_at = excluded.resend_asked_at
  WHERE app_tickets.resend_asked_at IS NULL OR app_tickets.resend_asked_at <= $3
     OR app_tickets.resend_asked_at > $2::timestamptz + ${wrongBy}`
