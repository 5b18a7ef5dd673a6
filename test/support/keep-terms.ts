import type { KeepTerms } from '../../src/flow/housekeeping/chores.js'

const hour = 3_600_000
const day = 24 * hour
export const keepTerms: KeepTerms = {
  personalDataMs: 180 * day,
  staleMs: 7 * day,
  payloadsMs: 30 * day,
  vendorNudgesMs: hour,
  idempotencyKeysMs: day,
  callMinutesMs: 35 * day,
  releasedHoldsMs: 400 * day,
  auditMs: 400 * day,
}
