import { createHash, hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** The three headers that Feishu signs with (contract §2.2); `none` when it sent not a single one of them. */
export type SignatureHeaders = { timestamp: string; nonce: string; signature: string } | 'incomplete' | 'none'

export function readSignatureHeaders(headers: IncomingHttpHeaders): SignatureHeaders {
  const timestamp = headers['x-lark-request-timestamp']
  const nonce = headers['x-lark-request-nonce']
  const signature = headers['x-lark-signature']
  if (timestamp === undefined && nonce === undefined && signature === undefined) return 'none'
  if (typeof timestamp !== 'string' || typeof nonce !== 'string' || typeof signature !== 'string') return 'incomplete'
  return { timestamp, nonce, signature }
}

const hexOfHash = /^[0-9a-f]{64}$/i

/** Whether Feishu signed these bytes: SHA-256 of timestamp, nonce, Encrypt Key and the body as it was received. */
export function verifySignature(signed: SignatureHeaders, body: Buffer, encryptKey: string): boolean {
  if (signed === 'none' || signed === 'incomplete') return false
  const expected = createHash('sha256').update(signed.timestamp + signed.nonce + encryptKey)
  // What cannot be one is read as far as it goes, and compared all the same.
  const given = Buffer.allocUnsafe(32).fill(0)
  given.write(signed.signature, 'hex')
  return timingSafeEqual(expected.update(body).digest(), given) && hexOfHash.test(signed.signature)
}

/** For `equalInConstantTime`: what is compared is hashes, so that neither content nor length shows in the time it takes. */
export function hashOf(text: string): Buffer {
  // By way of a string: a buffer of its own costs as much again.
  return Buffer.from(hash('sha256', text, 'hex'), 'hex')
}

export function equalInConstantTime(expectedHash: Buffer, given: string): boolean {
  return timingSafeEqual(expectedHash, hashOf(given))
}

/**
 * A signed timestamp in ms; its unit follows from its length (contract §2.2 leaves it open). `null`: not a number.
 *
 * The signature does not tell where the timestamp ends and the nonce begins. Each length is read so that the digits of
 * one time, cut or followed by digits of the nonce, never make a later one: until 2286, times have 10, 13, 16 or 19.
 */
export function readTimestamp(timestamp: string): number | null {
  const digits = /^(\d{1,19})(\.\d{1,9})?$/.exec(timestamp)?.[1]?.length
  if (digits === undefined) return null
  const value = Number(timestamp)
  if (digits <= 10) return value * 1000
  if (digits <= 13) return value
  return digits <= 16 ? value / 1000 : value / 1_000_000
}
