import { randomBytes } from 'node:crypto'
import { createSealer, type Sealer } from './sealer.js'

/** A key for one order. It is stored only wrapped; destroying the wrapped key erases all that it sealed. */
export interface DataKey extends Sealer {
  wrapped: Buffer
}

export const dataKeyContext = (owner: string): string => `data-key:${owner}`

export function createDataKey(sealer: Sealer, owner: string): DataKey {
  const key = randomBytes(32)
  return { wrapped: sealer.seal(key, dataKeyContext(owner)), ...createSealer([{ id: '', key }], false) }
}

export function openDataKey(sealer: Sealer, owner: string, wrapped: Buffer): DataKey {
  const key = sealer.open(wrapped, dataKeyContext(owner))
  return { wrapped, ...createSealer([{ id: '', key }], false) }
}

export function sealJson(sealer: Sealer, value: unknown, context: string): Buffer {
  return sealer.seal(Buffer.from(JSON.stringify(value)), context)
}

export function openJson(sealer: Sealer, sealed: Buffer, context: string): unknown {
  return JSON.parse(sealer.open(sealed, context).toString('utf8'))
}
