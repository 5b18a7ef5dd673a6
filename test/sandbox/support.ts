import { createDecipheriv, createHash } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'vitest'
import { type FeishuOptions, type SandboxApp, type SandboxFeishu, startSandboxFeishu } from '../../src/sandbox/index.js'

export const customApp: SandboxApp = {
  appId: 'cli_custom0001',
  appSecret: 'custom-secret',
  appType: 'custom',
  encryptKey: 'custom-encrypt-key',
  verificationToken: 'custom-token',
}
export const storeApp: SandboxApp = {
  appId: 'cli_store0001',
  appSecret: 'store-secret',
  appType: 'store',
  encryptKey: 'store-encrypt-key',
  verificationToken: 'store-token',
}
export const tenantKey = 'tk_one'
const started: Array<{ stop(): Promise<void> }> = []

export function startFeishu(options: Partial<FeishuOptions> = {}): Promise<SandboxFeishu> {
  const starting = startSandboxFeishu({
    apps: [customApp, storeApp],
    tenants: [
      { tenantKey, appIds: [customApp.appId, storeApp.appId] },
      { tenantKey: 'tk_two', appIds: [storeApp.appId] },
    ],
    retryDelaysMs: [],
    ...options,
  })
  return stopLater(starting)
}

/** Asks again and again, for as long as a busy machine may take. */
export function eventually<T>(probe: () => T) {
  return expect.poll(probe, { timeout: 10_000, interval: 5 })
}

export async function stopLater<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const running = await starting
  started.push(running)
  return running
}

export async function stopAll(): Promise<void> {
  await Promise.all(started.splice(0).map((one) => one.stop()))
}

export type Answered = {
  status: number
  code: number
  msg: string
  data: Record<string, unknown>
  headers: Headers
  json: Json
}
export type Json = Record<string, unknown>

export async function send(
  url: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answered> {
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const json = (text === '' ? {} : JSON.parse(text)) as Json
  return {
    status: response.status,
    code: json.code as number,
    msg: String(json.msg),
    data: (json.data ?? {}) as Json,
    headers: response.headers,
    json,
  }
}

export async function customToken(feishu: SandboxFeishu): Promise<string> {
  const { appId: app_id, appSecret: app_secret } = customApp
  const path = '/open-apis/auth/v3/tenant_access_token/internal'
  const answer = await send(feishu.url + path, 'POST', { app_id, app_secret })
  return String(answer.json.tenant_access_token)
}

export async function storeToken(feishu: SandboxFeishu, tenant: string): Promise<string> {
  const ticket = String((feishu.sendAppTicket(storeApp.appId).content as { event: Json }).event.app_ticket)
  const auth = `${feishu.url}/open-apis/auth/v3`
  const { appId: app_id, appSecret: app_secret } = storeApp
  const app = await send(`${auth}/app_access_token`, 'POST', { app_id, app_secret, app_ticket: ticket })
  const body = { app_access_token: app.json.app_access_token, tenant_key: tenant }
  return String((await send(`${auth}/tenant_access_token`, 'POST', body)).json.tenant_access_token)
}

export type Client = (method: string, path: string, body?: unknown) => Promise<Answered>

/** Calls below /open-apis/hire/v1 as the custom app, or with another token. */
export async function clientOf(feishu: SandboxFeishu, token?: string): Promise<Client> {
  const bearer = token ?? (await customToken(feishu))
  return (method, path, body) =>
    send(`${feishu.url}/open-apis/hire/v1/${path}`, method, body, { authorization: `Bearer ${bearer}` })
}

export function placeOrder(
  feishu: SandboxFeishu,
  more: { backgroundCheckId?: string; tenantKey?: string } = {},
): string {
  const account = feishu.createAccount({ appId: customApp.appId, tenantKey })
  const order = { appId: customApp.appId, tenantKey, accountId: account.accountId, ...more }
  return feishu.createOrder(order).backgroundCheckId
}

const baseTime = 1767315600000
export function stageBody(id: string, number: number, more: Json = {}): Json {
  return {
    background_check_id: id,
    stage_id: `st-${number}`,
    stage_name: `阶段 ${number}`,
    stage_time: String(baseTime + number * 1000),
    ...more,
  }
}
export function resultBody(id: string, more: Json = {}): Json {
  return { background_check_id: id, result: '绿灯', result_time: String(baseTime + 900_000), ...more }
}
export const progressPath = 'eco_background_checks/update_progress'
export const resultPath = 'eco_background_checks/update_result'
export const cancelPath = 'eco_background_checks/cancel'

export type Received = { headers: IncomingHttpHeaders; raw: Buffer; signed: boolean; content: Json }
export type Receiver = { url: string; received: Received[]; answer(respond: Respond): void; stop(): Promise<void> }
type Respond = (event: Received) => { status: number; body?: string } | undefined

/** What a vendor's backend does at least: checks the signature over the raw bytes, decrypts, answers. */
export async function startReceiver(app: SandboxApp): Promise<Receiver> {
  const received: Received[] = []
  let respond: Respond = () => ({ status: 200, body: '{}' })
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const raw = Buffer.concat(chunks)
      const event = {
        headers: request.headers,
        raw,
        signed: isSigned(app, request.headers, raw),
        content: decrypt(app, raw),
      }
      received.push(event)
      const answer = respond(event)
      if (answer) response.writeHead(answer.status, { location: '/elsewhere' }).end(answer.body ?? '')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    received,
    answer: (next) => {
      respond = next
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  started.push(receiver)
  return receiver
}

function isSigned(app: SandboxApp, headers: IncomingHttpHeaders, raw: Buffer): boolean {
  const parts = [headers['x-lark-request-timestamp'], headers['x-lark-request-nonce'], app.encryptKey]
  return createHash('sha256').update(parts.join('')).update(raw).digest('hex') === headers['x-lark-signature']
}

function decrypt(app: SandboxApp, raw: Buffer): Json {
  const sealed = Buffer.from((JSON.parse(raw.toString('utf8')) as { encrypt: string }).encrypt, 'base64')
  const key = createHash('sha256').update(app.encryptKey).digest()
  const decipher = createDecipheriv('aes-256-cbc', key, sealed.subarray(0, 16))
  const plain = Buffer.concat([decipher.update(sealed.subarray(16)), decipher.final()])
  return JSON.parse(plain.toString('utf8')) as Json
}
