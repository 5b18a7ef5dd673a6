import { type Asker, type Claimed, createFairClaim, type FairClaim } from '../../platform/database/fair-claim.js'

/** An order whose poll is claimed: nobody else asks for it until the lease is over. */
export interface ClaimedOrder {
  id: string
  tenantKey: string
  vendorOrderId: string
  intervalMs: number
  fence: number
  fingerprint: Buffer | null
  traceParent?: string | null
}

export type ClaimPolls = (claim: FairClaim) => Promise<Claimed<ClaimedOrder>>

interface ClaimRow {
  background_check_id: string
  tenant_key: string
  vendor_order_id: string | null
  interval_ms: number
  fence: number
  fingerprint: Buffer | null
  trace_parent: string | null
}

export function createPollClaim({ pool }: { pool: Asker }): ClaimPolls {
  const claimFairly = createFairClaim<ClaimRow>({
    table: 'poll_schedule',
    byTime: true,
    set: 'fence = claimed.fence + 1, claimed = true, nudged = false',
    returning:
      'background_check_id, claimed.tenant_key, interval_ms, fence, fingerprint, vendor_order_id, trace_parent',
    join: 'LEFT JOIN orders USING (background_check_id)',
  })
  return async (claim) => {
    const { rows, isMore } = await claimFairly(pool, claim)
    return { rows: rows.map(fromRow), isMore }
  }
}

function fromRow(row: ClaimRow): ClaimedOrder {
  return {
    id: row.background_check_id,
    tenantKey: row.tenant_key,
    vendorOrderId: row.vendor_order_id ?? '',
    intervalMs: row.interval_ms,
    fence: row.fence,
    fingerprint: row.fingerprint,
    traceParent: row.trace_parent,
  }
}
