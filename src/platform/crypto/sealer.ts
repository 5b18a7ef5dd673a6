import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/**
 * Seals personal data before it reaches the database: AES-256-GCM, the row it belongs to as associated data, so that
 * a sealed value copied to another row does not open.
 *
 * Layout of a sealed value: one byte for the form, then
 *   0  the plain bytes (no key is configured; never in production);
 *   1  length of the key id, key id, 12 bytes nonce, ciphertext, 16 bytes tag.
 */
export interface Sealer {
  seal(plain: Buffer, context: string): Buffer
  /** Throws a SealError when the key is not known or the value was changed or moved. */
  open(sealed: Buffer, context: string): Buffer
  /**
   * Keyed hashes of a value, to find it again without keeping it: under the key that seals first, then under every
   * other one that opens. The id of no key is empty.
   */
  hashes(value: string, purpose: string): KeyedHash[]
}

/** HMAC-SHA-256 under a key that is derived (HKDF) from an encryption key for one purpose. */
export interface KeyedHash {
  keyId: string
  hash: Buffer
}

export class SealError extends Error {
  override readonly name = 'SealError'
}

const plainForm = 0
const sealedForm = 1
const nonceBytes = 12
const tagBytes = 16

/** Without keys values stay plain; `opensPlain`: whether values from that time still open. */
export function createSealer(keys: readonly { id: string; key: Buffer }[], opensPlain = true): Sealer {
  const first = keys[0]
  const byId = new Map(keys.map(({ id, key }) => [id, key]))
  const hashKeys = opensPlain ? [...keys, noKey] : keys
  return {
    seal: (plain, context) =>
      first === undefined ? Buffer.concat([Buffer.of(plainForm), plain]) : sealWith(first, plain, context),
    open: (sealed, context) =>
      opensPlain && sealed[0] === plainForm ? sealed.subarray(1) : openWith(byId, sealed, context),
    hashes: (value, purpose) => hashKeys.map(({ id, key }) => ({ keyId: id, hash: hashWith(key, value, purpose) })),
  }
}

/** What hashes are made with where values stay plain. */
const noKey = { id: '', key: Buffer.alloc(32) }

function hashWith(key: Buffer, value: string, purpose: string): Buffer {
  const derived = Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), `bgc-bridge:${purpose}`, 32))
  return createHmac('sha256', derived).update(value).digest()
}

function sealWith({ id, key }: { id: string; key: Buffer }, plain: Buffer, context: string): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  const keyId = Buffer.from(id)
  const body = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([Buffer.of(sealedForm, keyId.length), keyId, nonce, body, cipher.getAuthTag()])
}

function openWith(keys: ReadonlyMap<string, Buffer>, sealed: Buffer, context: string): Buffer {
  const idEnd = 2 + (sealed[1] ?? 0)
  if (sealed[0] !== sealedForm || sealed.length < idEnd + nonceBytes + tagBytes) {
    throw new SealError('a sealed value is not of a known form')
  }
  const id = sealed.toString('utf8', 2, idEnd)
  const key = keys.get(id)
  if (key === undefined)
    throw new SealError(`BGC_ENCRYPTION_KEYS lacks the key ${JSON.stringify(id)} that a value was sealed with`)
  const nonce = sealed.subarray(idEnd, idEnd + nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(context))
  decipher.setAuthTag(sealed.subarray(-tagBytes))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(idEnd + nonceBytes, -tagBytes)), decipher.final()])
  } catch {
    throw new SealError('a sealed value does not belong to its row, or was changed')
  }
}
