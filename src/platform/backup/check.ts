import type { Manifest, Sums } from './manifest.js'
import { readBackup } from './read.js'

/** A file that was read to its end, and whose parts agree with their checksums. */
export interface Checked {
  manifest: Manifest
  sums: Sums
}

/**
 * Reads a backup without keeping anything of it. `known`: the migrations of this release. Throws as `readBackup` does, and
 * when a later release wrote the file.
 */
export async function checkBackup(file: string, known: readonly string[]): Promise<Checked> {
  let manifest: Manifest | undefined
  for await (const part of readBackup(file)) {
    if (part.kind === 'manifest') {
      manifest = part.manifest
      refuseLater(file, manifest, known)
    }
    if (part.kind === 'end' && manifest !== undefined) return { manifest, sums: part.sums }
  }
  throw new Error(`${file}: the reader ended without a word`)
}

function refuseLater(file: string, { release, migrations }: Manifest, known: readonly string[]): void {
  const unknown = migrations.filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  throw new Error(
    `${file} was written by bgc-bridge ${release}, whose schema is later than that of this release (${unknown.join(', ')}): ` +
      `restore it with bgc-bridge ${release} or later`,
  )
}
