import { isDeepStrictEqual } from 'node:util'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { courseTo } from './lane.js'
import { type CatalogRow, saveRow } from './rows.js'
import { type Complaint, saying } from './shapes.js'
import { go, openCatalog, wantedNow } from './sync.js'
import { readVendorCatalog } from './vendor-words.js'

/** What became of the catalog in a vendor's answer. `unchanged`: it asks for nothing new. */
export type Offered =
  | { kind: 'unchanged' }
  | { kind: 'taken'; buckets: number[] }
  | { kind: 'refused'; complaints: Complaint[] }

/**
 * The vendor says with a binding how an account's catalog should be. What can be undone goes to Feishu at once, what
 * cannot waits for an operator. One that does not fit leaves everything as it is, and the catalog is `failed`. Only a
 * catalog other than the one before is wanted anew, so that what an operator said meanwhile stands; unless it failed.
 */
export async function offerCatalog(sql: Sql, sealer: Sealer, accountId: string, value: unknown): Promise<Offered> {
  const offered = readVendorCatalog(value)
  const open = offered && (await openCatalog(sql, sealer, accountId))
  if (offered === null || open === null) return { kind: 'unchanged' }
  const { row, lane, pending } = open
  const refuse = async (complaints: Complaint[], said: unknown): Promise<Offered> => {
    await saveRow(sql, accountId, { ...row, offered: said, state: 'failed', failure: failureOf(complaints) })
    return { kind: 'refused', complaints }
  }
  if (offered.kind === 'misfit') return refuse(offered.complaints, null)
  if (isDeepStrictEqual(offered.value, row.offered) && row.state !== 'failed') return { kind: 'unchanged' }
  const wanted = { ...wantedNow(open), ...offered.value }
  const course = courseTo(accountId, row.known, pending, wanted)
  if (course.complaints.length > 0) return refuse(course.complaints, offered.value)
  const allowed = row.allowed && isDeepStrictEqual(wanted, row.wanted)
  const then: CatalogRow = { ...row, wanted, allowed, wantedBy: 'vendor', offered: offered.value }
  const { buckets } = await go(sql, sealer, { row, lane, pending }, then, course)
  return { kind: 'taken', buckets }
}

function failureOf(complaints: readonly Complaint[]) {
  return {
    class: 'vendor' as const,
    message: `the catalog of the vendor cannot be shown in Feishu: ${saying(complaints)}`,
    action: 'mend it at the vendor and bind again, or put a catalog',
  }
}
