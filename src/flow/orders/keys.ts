import { type DataKey, openDataKey } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'

/** An order whose key was destroyed holds no personal data any more and takes part in nothing. */
export class ErasedError extends Error {
  override readonly name = 'ErasedError'

  constructor(backgroundCheckId: string) {
    super(`order ${backgroundCheckId}: its personal data was erased`)
  }
}

export function keyOfOrder(sealer: Sealer, backgroundCheckId: string, wrapped: Buffer | null): DataKey {
  if (wrapped === null) throw new ErasedError(backgroundCheckId)
  return openDataKey(sealer, backgroundCheckId, wrapped)
}
