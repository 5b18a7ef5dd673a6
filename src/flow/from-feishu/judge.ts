import type { IncomingHttpHeaders } from 'node:http'
import type { ReceivedEvent } from '../map.js'
import { decrypt, deriveKey } from './decrypt.js'
import { parseObject, readEnvelope } from './envelope.js'
import { equalInConstantTime, hashOf, readSignatureHeaders, readTimestamp, verifySignature } from './signature.js'

export interface ReceivingApp {
  appId: string
  encryptKey: string
  verificationToken: string
}

/** What a body turned out to be. `refused` carries the reason for the counter; the sender is not told. */
export type Verdict =
  | { kind: 'refused'; status: 400 | 401; reason: Refusal }
  | { kind: 'challenge'; challenge: string }
  | { kind: 'event'; event: ReceivedEvent; signedAt: number | null }

export type Refusal = 'not_json' | 'plaintext' | 'signature' | 'unsigned' | 'decryption' | 'token' | 'app' | 'too_old'

interface Derived {
  key: Buffer
  tokenHash: Buffer
  appIdHash: Buffer
}

const derived = new WeakMap<ReceivingApp, Derived>()

/** What follows from an app alone is made once. */
function derivedOf(app: ReceivingApp): Derived {
  const known = derived.get(app)
  if (known !== undefined) return known
  const { encryptKey, verificationToken, appId } = app
  const made = { key: deriveKey(encryptKey), tokenHash: hashOf(verificationToken), appIdHash: hashOf(appId) }
  derived.set(app, made)
  return made
}

/** Judges the raw bytes of one request for one app, in the order in which the checks stand below. */
export function judge(body: Buffer, headers: IncomingHttpHeaders, app: ReceivingApp): Verdict {
  const outer = parseObject(body)
  if (outer === null) return refused('not_json')
  const encrypted = outer.encrypt
  if (typeof encrypted !== 'string') return refused('plaintext')
  const signed = readSignatureHeaders(headers)
  if (signed !== 'none' && !verifySignature(signed, body, app.encryptKey)) return refused('signature')
  const { key, tokenHash, appIdHash } = derivedOf(app)
  const { whole, bytes: payload } = decrypt(encrypted, key)
  // Read in any case, so that the time does not tell whether the padding was right.
  const read = readEnvelope(payload)
  const envelope = whole ? read : null
  const tokenFits = envelope !== null && equalInConstantTime(tokenHash, envelope.token)
  if (tokenFits && envelope.kind === 'url_verification') return { kind: 'challenge', challenge: envelope.challenge }
  if (signed === 'none' || signed === 'incomplete') return refused('unsigned')
  if (envelope === null) return refused('decryption')
  if (!tokenFits) return refused('token')
  if (!equalInConstantTime(appIdHash, envelope.appId)) return refused('app')
  const { eventId, type, tenantKey, createTime } = envelope
  const event = { appId: app.appId, eventId, type, tenantKey, createTime, payload }
  return { kind: 'event', event, signedAt: readTimestamp(signed.timestamp) }
}

function refused(reason: Refusal): Verdict {
  return { kind: 'refused', status: reason === 'not_json' ? 400 : 401, reason }
}
