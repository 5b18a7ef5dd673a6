import type { Sealer } from './sealer.js'

/** Six hex digits that tell keys apart and tell nothing about them. */
export type KeyMark = string

/** What a process shows of its keys, the one that seals first: both its id and its bytes make the mark. */
export function marksOf(sealer: Sealer, keys: ReadonlyArray<{ id: string }>): KeyMark[] {
  const marks = sealer.hashes('bgc-bridge', 'key-mark').map(({ keyId, hash }) => ({ keyId, mark: markOf(hash) }))
  // Every process opens plain values; only one without keys writes them.
  return (keys.length === 0 ? marks : marks.filter(({ keyId }) => keyId !== '')).map(({ mark }) => mark)
}

/** What stays with the database, to tell another key under the same id from the one that it was sealed with. */
export function proofsOf(sealer: Sealer): Array<{ keyId: string; proof: Buffer }> {
  return sealer.hashes('bgc-bridge', 'key-proof').map(({ keyId, hash }) => ({ keyId, proof: hash }))
}

function markOf(hash: Buffer): KeyMark {
  return hash.toString('hex', 0, 3)
}
