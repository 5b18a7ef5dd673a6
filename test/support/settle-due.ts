import { type Claim, claimHeads } from '../../src/flow/outbox/claim.js'
import type { Keepers } from '../../src/flow/outbox/keepers.js'
import { settleDeliveries } from '../../src/flow/outbox/settle.js'
import type { Settled, Settlement } from '../../src/flow/outbox/settlement.js'
import type { Sealer } from '../../src/platform/crypto/sealer.js'
import type { Database } from '../../src/platform/database/database.js'

/** What pumps do with deliveries, without calls to Feishu. */
export interface Outbox {
  database: Database
  sealer: Sealer
  keepers: Keepers
}

/** Heads that are due, of all buckets. */
export async function claimDue({ pool }: Pick<Database, 'pool'>, limit = 10): Promise<Claim[]> {
  const { rows } = await pool.query<{ id: number }>('SELECT id FROM buckets ORDER BY id')
  return (await Promise.all(rows.map(({ id }) => claimHeads(pool, id, limit, 600_000)))).flat()
}

export function settleClaims(
  { database, sealer, keepers }: Outbox,
  claims: readonly Claim[],
  settled: Settled,
  callMsAgo: number | null = 0,
) {
  const settlements = claims.map(
    ({ id, fence, lane, backgroundCheckId }): Settlement => ({
      ...{ id, fence, lane, backgroundCheckId, callMsAgo, lastError: null },
      ...settled,
    }),
  )
  return settleDeliveries(database, settlements, { sealer, keepers })
}

/** Settles what is due now, and answers how much that was. */
export async function settleDue(outbox: Outbox, settled: Settled): Promise<number> {
  const claims = await claimDue(outbox.database)
  await settleClaims(outbox, claims, settled)
  return claims.length
}

/** Until nothing is due. */
export async function settleAll(outbox: Outbox, settled: Settled): Promise<void> {
  while ((await settleDue(outbox, settled)) > 0);
}
