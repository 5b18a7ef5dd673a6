import { createHash } from 'node:crypto'

/** What a decrypted body says about itself, before anything of it is believed. */
export interface Envelope {
  kind: 'url_verification' | 'event'
  token: string
  /** Empty for url_verification, which names no app. */
  appId: string
  challenge: string
  eventId: string
  type: string
  tenantKey: string
  createTime: string
}

type Json = Record<string, unknown>

/** Ids longer than this are nobody's id, and would not fit an index. */
const longestId = 256

/** Reads an envelope of either version (contract §1.1, §1.6, §1.7); `null` when the bytes are no JSON object. */
export function readEnvelope(payload: Buffer): Envelope | null {
  const body = parseObject(payload)
  if (body === null) return null
  if (body.type === 'url_verification') return urlVerification(body)
  return typeof body.schema === 'string' ? versionTwo(body, payload) : versionOne(body, payload)
}

export function parseObject(bytes: Buffer): Json | null {
  try {
    return asObject(JSON.parse(bytes.toString('utf8')))
  } catch {
    return null
  }
}

function urlVerification(body: Json): Envelope {
  const challenge = typeof body.challenge === 'string' ? body.challenge : ''
  const none = { appId: '', eventId: '', type: '', tenantKey: '', createTime: '' }
  return { kind: 'url_verification', token: idOf(body.token), challenge, ...none }
}

function versionTwo(body: Json, payload: Buffer): Envelope {
  const header = asObject(body.header) ?? {}
  return {
    kind: 'event',
    challenge: '',
    token: idOf(header.token),
    appId: idOf(header.app_id),
    eventId: idOf(header.event_id) || hashId(payload),
    type: idOf(header.event_type) || 'unreadable',
    tenantKey: idOf(header.tenant_key),
    createTime: idOf(header.create_time),
  }
}

function versionOne(body: Json, payload: Buffer): Envelope {
  const event = asObject(body.event) ?? {}
  return {
    kind: 'event',
    challenge: '',
    token: idOf(body.token),
    appId: idOf(event.app_id),
    eventId: idOf(body.uuid) || hashId(payload),
    type: idOf(event.type) || 'unreadable',
    tenantKey: idOf(event.tenant_key),
    createTime: idOf(body.ts),
  }
}

function asObject(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null
}

/** PostgreSQL's text holds no NUL. */
function idOf(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : value
  return typeof text === 'string' && text.length <= longestId && !text.includes('\0') ? text : ''
}

/** An authentic event without an id is kept all the same: the same bytes are the same event. */
function hashId(payload: Buffer): string {
  return `sha256:${createHash('sha256').update(payload).digest('hex')}`
}
