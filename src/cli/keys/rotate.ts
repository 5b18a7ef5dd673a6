import { addToAudit } from '../../flow/audit.js'
import { type Rotation, rotateKeys } from '../../flow/rotation/rotate.js'
import type { Database } from '../../platform/database/database.js'
import { exitCodes } from '../exit-codes.js'
import type { Io } from '../io.js'
import { userOfCommand } from '../user.js'
import type { CommandParts } from '../with-database.js'
import { showBar } from './bar.js'
import { countAsJson, nameOfKey, placeOf } from './status.js'

export interface RotateOptions {
  batch: number
  json: boolean
}

export async function runRotation(parts: CommandParts, { batch, json }: RotateOptions, io: Io): Promise<number> {
  const { database, sealer, config } = parts
  const keys = config.encryptionKeys
  const bar = showBar(io, 'values')
  const rotation = await rotateKeys({ database, sealer, keys, batch, onProgress: bar.show }).finally(bar.clear)
  await record(database, keys[0]?.id ?? '', rotation)
  io.out(json ? `${JSON.stringify(asJson(rotation))}\n` : inWords(rotation, keys[0]?.id ?? ''))
  return rotation.kind === 'done' ? exitCodes.ok : exitCodes.failure
}

async function record(database: Database, first: string, rotation: Rotation): Promise<void> {
  const entry = { actor: userOfCommand(), via: 'cli', action: 'keys.rotate', subject: `key:${first}` } as const
  const after = asJson(rotation)
  await addToAudit(database.pool, [{ ...entry, outcome: rotation.kind === 'refused' ? 'refused' : 'done', after }])
}

function asJson(rotation: Rotation) {
  const at = (running: ReadonlyArray<{ address: string }>) => running.map(({ address }) => address)
  if (rotation.kind === 'refused') return { outcome: 'refused', lacking: at(rotation.lacking) }
  const { kind, rotated, remaining, sealing, free, freeFrom } = rotation
  const left = { remaining: remaining.map(countAsJson), sealing: at(sealing) }
  return { outcome: kind, rotated, ...left, free, free_from: freeFrom?.toISOString() ?? null }
}

const order = `Every running process has to have the new key before anything is sealed with it:
  1. put the new key behind the others in BGC_ENCRYPTION_KEYS, and restart every process;
  2. put it first, and restart every process;
  3. run \`bgc keys rotate\` until it says that it is done;
  4. take the old key out, and restart every process.
`

function inWords(rotation: Rotation, first: string): string {
  if (rotation.kind === 'refused') {
    const lacking = rotation.lacking.map(({ address }) => `${placeOf(address)} does not have the key ${first}\n`)
    return `nothing was rotated:\n${lacking.join('')}${order}`
  }
  const { kind, rotated, remaining, sealing, free, freeFrom } = rotation
  const total = Object.values(rotated).reduce((sum, values) => sum + values, 0)
  if (kind === 'done') {
    const from = freeFrom === null ? '' : ` from ${freeFrom.toISOString()} on, when no Idempotency-Key needs it`
    const drop = free.length === 0 ? '' : `; ${free.join(', ')} may leave BGC_ENCRYPTION_KEYS${from}, with a restart`
    return `done: ${total} values rotated, and everything lies under ${first}${drop}\n`
  }
  const lines = [
    `not done: ${total} values rotated; keep every key, and run it again`,
    ...remaining.map(({ place, keyId, values }) => `${place}: ${values} under ${nameOfKey(keyId)}`),
    ...sealing.map(({ address }) => `${placeOf(address)} seals with another key than ${first}: restart it`),
  ]
  return `${lines.join('\n')}\n${sealing.length === 0 ? '' : order}`
}
