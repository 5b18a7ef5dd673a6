import { createDecipheriv, createHash } from 'node:crypto'

const blockBytes = 16

/** AES-256-CBC key of an Encrypt Key (contract §2.1). */
export function deriveKey(encryptKey: string): Buffer {
  return createHash('sha256').update(encryptKey).digest()
}

/** Opens the `encrypt` text of a body; `null` for whatever was not encrypted with this key. */
export function decrypt(encrypted: string, key: Buffer): Buffer | null {
  const bytes = Buffer.from(encrypted, 'base64')
  if (bytes.length < 2 * blockBytes || bytes.length % blockBytes !== 0) return null
  const decipher = createDecipheriv('aes-256-cbc', key, bytes.subarray(0, blockBytes))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(blockBytes)), decipher.final()])
  } catch {
    return null
  }
}
