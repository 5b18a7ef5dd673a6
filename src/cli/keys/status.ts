import type { Count } from '../../flow/rotation/count.js'
import { type KeysStatus, keysStatus } from '../../flow/rotation/status.js'
import { exitCodes } from '../exit-codes.js'
import type { Io } from '../io.js'
import type { CommandParts } from '../with-database.js'

/** Ends with 1 when something cannot be opened with the keys that there are. */
export async function showStatus(parts: CommandParts, json: boolean, io: Io): Promise<number> {
  const { database, sealer, config } = parts
  const status = await keysStatus(database, sealer, config.encryptionKeys)
  io.out(json ? `${JSON.stringify(asJson(status))}\n` : inWords(status))
  return status.counts.every(({ opens }) => opens) ? exitCodes.ok : exitCodes.failure
}

export function countAsJson({ place, keyId, values }: Count) {
  return { place, key_id: keyId, values }
}

function asJson({ first, counts, running }: KeysStatus) {
  return {
    first,
    counts: counts.map((count) => ({ ...countAsJson(count), opens: count.opens })),
    running: running.map(({ address, firstKey }) => ({ address, first_key: firstKey })),
  }
}

function inWords({ first, counts, running }: KeysStatus): string {
  const lines = [
    first === null ? 'there is no key: values stay plain' : `first key: ${first}`,
    ...table(
      counts.map(({ place, values, ...key }) => [place, nameOfKey(key.keyId), String(values), remark(key, first)]),
    ),
    ...running.map(({ address, firstKey }) => `${placeOf(address)}: ${inRunning[firstKey]}`),
  ]
  return `${lines.join('\n')}\n`
}

export function nameOfKey(keyId: string | null): string {
  if (keyId === null) return '(of no known form)'
  return keyId === '' ? '(plain)' : keyId
}

export function placeOf(address: string): string {
  return address === '' ? 'a process on the machine of the database' : `a process at ${address}`
}

const inRunning = {
  seals: 'seals with the first key',
  opens: 'opens the first key, and seals with another',
  lacks: 'does not have the first key',
}

function remark({ keyId, opens }: { keyId: string | null; opens: boolean }, first: string | null): string {
  if (!opens) return 'BGC_ENCRYPTION_KEYS lacks it'
  return keyId === (first ?? '') ? '' : 'to rotate'
}

function table(rows: readonly string[][]): string[] {
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => (row[column] ?? '').length)))
  return rows.map(([place = '', key = '', values = '', note = '']) =>
    `${place.padEnd(widths[0] ?? 0)}  ${key.padEnd(widths[1] ?? 0)}  ${values.padStart(widths[2] ?? 0)}  ${note}`.trimEnd(),
  )
}
