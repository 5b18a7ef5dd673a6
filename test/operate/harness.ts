import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, inject } from 'vitest'
import type { Parts } from '../../src/app.js'
import { readConfig } from '../../src/config.js'
import { createKeepers } from '../../src/flow/keepers.js'
import { createApi } from '../../src/operate/api/app.js'
import { type FailureLimit, usualLimit } from '../../src/operate/api/key-failures.js'
import type { Rates } from '../../src/operate/api/rates.js'
import { registerGauges } from '../../src/operate/gauges.js'
import { createMetrics } from '../../src/operate/metrics.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { openDatabase } from '../../src/platform/database/database.js'
import { migrate } from '../../src/platform/database/migrate.js'
import { memoryLimiter } from '../../src/platform/limiter/memory.js'
import { createLogger } from '../../src/platform/logger.js'
import type { Topic } from '../../src/platform/queue/hints.js'
import { freshSchema } from '../support/postgres.js'
import { holdToDocument } from './document.js'

/** A secret for each set of scopes that tests use. */
export const secrets = {
  all: 'secret-with-all-the-scopes',
  read: 'secret-that-may-only-read',
  operate: 'secret-that-may-only-operate',
  notify: 'secret-that-may-only-notify',
  reveal: 'secret-that-may-read-and-reveal',
}
const everyKey = `all:${secrets.all},read:${secrets.read}:read,operate:${secrets.operate}:operate,notify:${secrets.notify}:notify,reveal:${secrets.reveal}:read+reveal`

export interface Reply {
  status: number
  headers: Headers
  body: Record<string, unknown>
}

export interface Api {
  parts: Parts
  url: string
  log: string[]
  hints: Array<[Topic, string]>
  call(method: string, path: string, options?: CallOptions): Promise<Reply>
  stop(): Promise<void>
}

export interface CallOptions {
  /** `null` sends no key. */
  secret?: string | null
  body?: string
  headers?: Record<string, string>
}

export interface ApiTestOptions {
  databaseUrl?: string
  apiKeys?: string
  operators?: boolean
  metricsHere?: boolean
  trustedProxies?: string
  /** Of wrong keys; none that a test would meet by chance when left out. */
  failureLimit?: FailureLimit
  /** Of right keys; none that a test would meet by chance when left out. */
  rates?: Rates
  /** Counts what waits as the service does; no gauge has a value when left out. */
  gauges?: true
}

const noRate = { quota: 1_000_000, windowMs: 60_000 }

/** The operators' API alone on a real, empty database: no worker takes what tests lay into its rows. */
export async function startOperators(options: ApiTestOptions = {}): Promise<Api> {
  const url = options.databaseUrl ?? freshSchema(inject('databaseUrl'))
  if (options.databaseUrl === undefined) await migrate(url)
  const log: string[] = []
  const hints: Array<[Topic, string]> = []
  const parts = makeParts(url, options, log, hints)
  const ready = async () => ({ status: 'ok' as const, checks: {} })
  const { operators = true, metricsHere = true, failureLimit = { ...usualLimit, most: 1_000_000 } } = options
  const { rates = { requests: noRate, notices: noRate } } = options
  const countBacklog = options.gauges ? registerGauges(parts) : async () => undefined
  const server = createServer(
    await createApi({ ...parts, ready, operators, metricsHere, failureLimit, rates, countBacklog }),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    parts,
    url: base,
    log,
    hints,
    call: async (method, path, call) => {
      const reply = await callApi(base, method, path, call)
      // Of a door that operators do not use, the document says nothing.
      if (operators && metricsHere) holdToDocument(method, path, reply)
      return reply
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await parts.database.stop()
    },
  }
}

function makeParts(url: string, options: ApiTestOptions, log: string[], hints: Array<[Topic, string]>): Parts {
  const config = readConfig({
    BGC_API_KEYS: options.apiKeys ?? everyKey,
    BGC_TRUSTED_PROXIES: options.trustedProxies,
    BGC_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    FEISHU_APP_ID: 'cli_a',
    FEISHU_APP_SECRET: 'secret',
    FEISHU_ENCRYPT_KEY: 'key',
    FEISHU_VERIFICATION_TOKEN: 'token',
    VENDOR_BASE_URL: 'http://127.0.0.1:1',
    VENDOR_API_KEY: 'vendor-key',
  })
  const logger = createLogger('debug', { write: (line) => log.push(line) })
  const sealer = createSealer(config.encryptionKeys)
  const notHere = () => Promise.reject(new Error('this test asks Feishu nothing'))
  return {
    config,
    log: logger,
    database: openDatabase({ url, log: logger }),
    sealer,
    hints: {
      send: (topic, key = '') => hints.push([topic, key]),
      listen: () => undefined,
      stop: async () => undefined,
    },
    limiter: memoryLimiter(),
    metrics: createMetrics(),
    keepers: createKeepers(sealer),
    reads: { ask: notHere, askWith: notHere },
    random: Math.random,
    lookAfterMs: [],
  }
}

async function callApi(base: string, method: string, path: string, options: CallOptions = {}): Promise<Reply> {
  const { secret = secrets.all, body, headers } = options
  const response = await fetch(base + path, {
    method,
    headers: { ...(secret !== null && { authorization: `Bearer ${secret}` }), ...headers },
    ...(body !== undefined && { body }),
  })
  const text = await response.text()
  const isJson = /json/.test(response.headers.get('content-type') ?? '') && text !== ''
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : { text } }
}

/** The items of a list's answer. */
export function itemsOf({ body }: Reply): Array<Record<string, unknown>> {
  return body['items'] as Array<Record<string, unknown>>
}

/** All pages of a list, `between` two of them something may happen. */
export async function readPages(api: Api, path: string, between?: (page: number) => Promise<unknown>) {
  const items: Array<Record<string, unknown>> = []
  let cursor = ''
  for (let page = 1; ; page += 1) {
    const reply = await api.call('GET', `${path}${cursor}`)
    if (reply.status !== 200) throw new Error(JSON.stringify(reply.body))
    items.push(...itemsOf(reply))
    if (typeof reply.body['next_cursor'] !== 'string') return items
    cursor = `&cursor=${reply.body['next_cursor']}`
    await between?.(page)
  }
}

/** What came in no order of its own, to compare. */
export function sorted(list: readonly unknown[]): string[] {
  return list.map(String).toSorted((one, other) => one.localeCompare(other))
}

/** Runs requests while another transaction holds their rows, and lets go when so many of them wait for it. */
export async function whileLocked<T>({ parts }: Api, lock: string, waiting: number, run: () => Promise<T>): Promise<T> {
  const { database } = parts
  return database.transaction(async (sql) => {
    await sql.query(lock)
    const holder = await sql.query('SELECT pg_backend_pid() AS pid')
    const running = run()
    // The second to wait for a row waits for the first, not for the holder. Another connection counts, since a
    // transaction sees the statistics as they were when it looked first.
    const behind = async () => (await database.pool.query(behindSql, [holder.rows[0].pid])).rows[0].behind
    await expect.poll(behind, { timeout: 20_000, interval: 10 }).toBe(waiting)
    await sql.query('COMMIT')
    return running
  })
}

const behindSql = `
  WITH RECURSIVE behind AS (
    SELECT $1::int AS pid
    UNION
    SELECT a.pid FROM pg_stat_activity a JOIN behind b ON b.pid = ANY(pg_blocking_pids(a.pid))
  )
  SELECT count(*)::int - 1 AS behind FROM behind`
