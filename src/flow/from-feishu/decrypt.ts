import { createDecipheriv, createHash } from 'node:crypto'

const blockBytes = 16

/** AES-256-CBC key of an Encrypt Key (contract §2.1). */
export function deriveKey(encryptKey: string): Buffer {
  return createHash('sha256').update(encryptKey).digest()
}

/** `whole` is false for whatever was not encrypted with this key; `bytes` are then of no use. */
export interface Opened {
  whole: boolean
  bytes: Buffer
}

/**
 * Opens the `encrypt` text of a body. A wrong padding costs as much as a right one: requests without a signature get so
 * far, and a difference would let their sender decrypt a recorded event by asking about one byte after the other.
 */
export function decrypt(encrypted: string, key: Buffer): Opened {
  const bytes = Buffer.from(encrypted, 'base64')
  if (bytes.length < 2 * blockBytes || bytes.length % blockBytes !== 0) return { whole: false, bytes: Buffer.alloc(0) }
  // OpenSSL would throw at a wrong padding, which takes time.
  const decipher = createDecipheriv('aes-256-cbc', key, bytes.subarray(0, blockBytes)).setAutoPadding(false)
  const plain = decipher.update(bytes.subarray(blockBytes))
  // Of whole blocks nothing is left to come.
  decipher.final()
  return withoutPadding(plain)
}

/** PKCS#7: the last byte says how many there are of its kind. Looks at a whole block, wherever the first wrong one is. */
function withoutPadding(plain: Buffer): Opened {
  const count = plain.at(-1) ?? 0
  let wrong = Number(count < 1) | Number(count > blockBytes)
  for (let back = 1; back <= blockBytes; back += 1) {
    wrong |= Number(back <= count) * ((plain.at(-back) ?? 0) ^ count)
  }
  const whole = wrong === 0
  return { whole, bytes: plain.subarray(0, plain.length - Number(whole) * count) }
}
