import { timingSafeEqual } from 'node:crypto'
import type { DataKey } from '../../platform/crypto/data-key.js'

/**
 * The token of a link to a report, made from nothing but a key and read without any row of its own:
 *
 *   version (1) · id of the delivery that Feishu got the link in (8) · place in its list (1) · end (6, ms) · HMAC-SHA-256 (32)
 *
 * The HMAC is made with a key that is derived from the data key of the order. So a link is good for this order only, ends
 * with the erasure that destroys the key, and outlives a change of BGC_ENCRYPTION_KEYS, which only wraps it anew.
 */
export interface ReportLink {
  deliveryId: string
  /** In `report_file_list`. */
  index: number
  /** Milliseconds since 1970. */
  expiresAt: number
}

/** What a token says, and what proves it. */
export interface ReadToken extends ReportLink {
  head: Buffer
  mac: Buffer
}

const version = 1
const headBytes = 16
const macBytes = 32
const purpose = 'report link'
/** 48 bytes are exactly 64 characters: no two texts are the same token. */
const shape = /^[A-Za-z0-9_-]{64}$/
const largestId = 2n ** 63n - 1n

export function makeToken(key: DataKey, { deliveryId, index, expiresAt }: ReportLink): string {
  const head = Buffer.alloc(headBytes)
  head.writeUInt8(version, 0)
  head.writeBigUInt64BE(BigInt(deliveryId), 1)
  head.writeUInt8(index, 9)
  head.writeUIntBE(expiresAt, 10, 6)
  return Buffer.concat([head, macOf(key, head)]).toString('base64url')
}

/** `null` for what cannot be a token. What it says is believed only once `isGenuine` says so. */
export function readToken(text: string): ReadToken | null {
  if (!shape.test(text)) return null
  const bytes = Buffer.from(text, 'base64url')
  const head = bytes.subarray(0, headBytes)
  const deliveryId = head.readBigUInt64BE(1)
  if (head.readUInt8(0) !== version || deliveryId > largestId) return null
  return {
    deliveryId: String(deliveryId),
    index: head.readUInt8(9),
    expiresAt: head.readUIntBE(10, 6),
    head,
    mac: bytes.subarray(headBytes),
  }
}

export function isGenuine(key: DataKey, { head, mac }: ReadToken): boolean {
  return timingSafeEqual(macOf(key, head), mac)
}

function macOf(key: DataKey, head: Buffer): Buffer {
  // A data key is one key, so there is one hash.
  const [keyed] = key.hashes(head.toString('hex'), purpose)
  if (keyed?.hash.length !== macBytes) throw new Error('a data key makes one HMAC-SHA-256')
  return keyed.hash
}
