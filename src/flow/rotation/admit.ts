import { proofsOf } from '../../platform/crypto/key-marks.js'
import { SealError, type Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import { countSealed } from './count.js'

/**
 * The keys of a database: which ones its values may lie under is written down (`encryption_keys`) before a process seals
 * anything, and struck off when a rotation has left nothing under them. So a start costs one small table to know that
 * everything opens, however many rows there are.
 */
interface KnownKey {
  key_id: string
  proof: Buffer | null
}

/**
 * Lets a process work with its keys, or throws a SealError that says which key it lacks. Called after the migrations and
 * before anything is sealed.
 */
export async function admitKeys(database: Database, sealer: Sealer, options: Tolerance = {}): Promise<void> {
  await refuseUnfit(database, sealer, options)
  const [first] = proofsOf(sealer)
  if (first === undefined) return
  await database.pool.query(
    `INSERT INTO encryption_keys (key_id, proof) VALUES ($1, $2)
     ON CONFLICT (key_id) DO UPDATE SET proof = excluded.proof, admitted_at = clock_timestamp()`,
    [first.keyId, first.proof],
  )
}

interface Tolerance {
  /** Ids that need not be there: nothing lies under them, and a rotation is about to strike them off. */
  unused?: ReadonlySet<string>
}

/** As `admitKeys`, for whoever only looks: writes nothing. */
export async function refuseUnfit(database: Database, sealer: Sealer, { unused }: Tolerance = {}): Promise<void> {
  const proofs = proofsOf(sealer)
  const isMine = (id: string) => proofs.some(({ keyId }) => keyId === id)
  const known = await knownKeys(database)
  for (const key of known) if (isMine(key.key_id) || unused?.has(key.key_id) !== true) refuseUnlike(key, proofs)
}

/** The ids among these under which there are other bytes here than values were sealed with. */
export async function impostors(sql: Sql, sealer: Sealer): Promise<Set<string>> {
  const proofs = new Map(proofsOf(sealer).map(({ keyId, proof }) => [keyId, proof]))
  const known = await readKeys(sql)
  return new Set(
    known.flatMap(({ key_id: id, proof }) => (proof === null || proofs.get(id)?.equals(proof) !== false ? [] : [id])),
  )
}

/** Ids that are written down, and that nothing lies under. */
export async function unusedKeys(database: Database): Promise<Set<string>> {
  const used = new Set((await countSealed(database)).map(({ keyId }) => keyId))
  return new Set((await readKeys(database.pool)).flatMap(({ key_id: id }) => (used.has(id) ? [] : [id])))
}

/** A database from before this list was kept is read once. */
async function knownKeys(database: Database): Promise<KnownKey[]> {
  const known = await readKeys(database.pool)
  if (known.length > 0) return known
  const counts = await countSealed(database)
  return [...new Set(counts.map(({ keyId }) => keyId))].flatMap((keyId) =>
    keyId === null ? [] : [{ key_id: keyId, proof: null }],
  )
}

/** Throws a SealError that says which key of a database is not among these; writes nothing. */
export async function refuseMissingKeys(sql: Sql, sealer: Sealer): Promise<void> {
  const proofs = proofsOf(sealer)
  for (const key of await readKeys(sql)) refuseUnlike(key, proofs)
}

async function readKeys(sql: Sql): Promise<KnownKey[]> {
  return (await sql.query<KnownKey>('SELECT key_id, proof FROM encryption_keys ORDER BY key_id')).rows
}

function refuseUnlike({ key_id: id, proof }: KnownKey, proofs: ReturnType<typeof proofsOf>): void {
  const mine = proofs.find(({ keyId }) => keyId === id)
  if (mine === undefined) {
    throw new SealError(`BGC_ENCRYPTION_KEYS lacks the key ${JSON.stringify(id)} that a value was sealed with`)
  }
  if (proof !== null && !proof.equals(mine.proof)) {
    throw new SealError(
      `BGC_ENCRYPTION_KEYS has another key under the id ${JSON.stringify(id)} than values were sealed with`,
    )
  }
}

/**
 * Strikes off the keys that nothing lies under any more. `since`: when that was counted; a process that was admitted
 * after it may have sealed something. Answers the ids that stay beside the first.
 */
export async function strikeOff(sql: Sql, first: string, since: Date): Promise<string[]> {
  await sql.query('DELETE FROM encryption_keys WHERE key_id <> $1 AND admitted_at < $2', [first, since])
  return (await readKeys(sql)).map(({ key_id }) => key_id).filter((id) => id !== first)
}
