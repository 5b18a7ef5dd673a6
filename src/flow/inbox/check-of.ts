import { SealError, type Sealer } from '../../platform/crypto/sealer.js'
import { eventContext } from './accept.js'

/** An event whose payload is kept, as far as it says whose it is. */
export interface KeptRow {
  app_id: string
  event_id: string
  type: string
  payload_sealed: Buffer
}

/**
 * The check that an event is about, so that erasure reaches a payload that is kept. Read from whatever the payload is like,
 * since it is kept because it did not fit; `null`: it names none, or does not open.
 */
export function checkOf(sealer: Sealer, row: KeptRow): string | null {
  const event = memberOf(readPayload(sealer, row), 'event')
  return (
    idIn(event) ??
    Object.values(asRecord(event))
      .map(idIn)
      .find((id) => id !== null) ??
    null
  )
}

function idIn(value: unknown): string | null {
  const id = memberOf(value, 'background_check_id')
  const text = typeof id === 'number' && Number.isSafeInteger(id) ? String(id) : id
  return typeof text === 'string' && /^[0-9]{1,32}$/.test(text) ? text : null
}

function memberOf(value: unknown, name: string): unknown {
  return asRecord(value)[name]
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}

function readPayload(sealer: Sealer, { app_id, event_id, payload_sealed }: KeptRow): unknown {
  try {
    return JSON.parse(sealer.open(payload_sealed, eventContext(app_id, event_id)).toString('utf8'))
  } catch (failure) {
    // That it cannot be read may be why it failed.
    if (failure instanceof SealError || failure instanceof SyntaxError) return null
    throw failure
  }
}
