import { createCipheriv, createHash, randomBytes } from 'node:crypto'

/** What Feishu does to an event before it sends it: contract §2.1 and §2.2. Written for the sandbox alone. */

export type SealOptions = { iv?: Buffer; timestamp?: string; nonce?: string; timestampUnit?: 's' | 'ms' }
export type SealedEvent = { body: Buffer; headers: Record<string, string> }

export function encrypt(encryptKey: string, plaintext: string, iv: Buffer = randomBytes(16)): string {
  const key = createHash('sha256').update(encryptKey, 'utf8').digest()
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  return Buffer.concat([iv, cipher.update(plaintext, 'utf8'), cipher.final()]).toString('base64')
}

export function sign(encryptKey: string, timestamp: string, nonce: string, rawBody: Buffer): string {
  return createHash('sha256').update(timestamp).update(nonce).update(encryptKey).update(rawBody).digest('hex')
}

export function encryptedBody(encryptKey: string, content: unknown, iv?: Buffer): Buffer {
  return Buffer.from(JSON.stringify({ encrypt: encrypt(encryptKey, JSON.stringify(content), iv) }))
}

export function signatureHeaders(
  encryptKey: string,
  rawBody: Buffer,
  options: SealOptions = {},
): Record<string, string> {
  const { timestampUnit = 's' } = options
  const timestamp = options.timestamp ?? String(timestampUnit === 's' ? Math.floor(Date.now() / 1000) : Date.now())
  const nonce = options.nonce ?? randomBytes(8).toString('hex')
  return {
    'X-Lark-Request-Timestamp': timestamp,
    'X-Lark-Request-Nonce': nonce,
    'X-Lark-Signature': sign(encryptKey, timestamp, nonce, rawBody),
  }
}

/** An event as it travels: encrypted, and signed over the bytes of its body. */
export function sealEvent(encryptKey: string, content: unknown, options: SealOptions = {}): SealedEvent {
  const body = encryptedBody(encryptKey, content, options.iv)
  return { body, headers: { ...jsonHeaders, ...signatureHeaders(encryptKey, body, options) } }
}

export const jsonHeaders = { 'Content-Type': 'application/json;charset=utf-8' }
