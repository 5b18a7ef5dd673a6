/** When is swept, and what may be judged; in ms. */
export interface SweepTerms {
  /** From one sweep of a tenant to the next, with a quarter of jitter either way. */
  everyMs: number
  /** An event that did not come for so long never comes: Feishu's last retry is after 7.1 h (contract §2). */
  certainAfterMs: number
  /** What changed here so shortly before Feishu was asked is not judged by its answer. */
  quietMs: number
  /** Where orders cannot be read it is tried again after this. */
  unreadableMs: number
  /** Nothing older is compared. */
  lookBackMs: number
  /** Between two questions for one tenant, so that look-ups after lost answers find slots. */
  restMs: number
  /** After a question without an answer, doubled each time. */
  retryMs: number
  /** From one look for sweeps that are due to the next, and for tenants that are new. */
  scanMs: number
  enrolMs: number
}

const minute = 60_000
const hour = 60 * minute

export const usualTerms: SweepTerms = {
  everyMs: 6 * hour,
  certainAfterMs: 8 * hour,
  quietMs: 10 * minute,
  unreadableMs: 24 * hour,
  lookBackMs: 30 * 24 * hour,
  restMs: 250,
  retryMs: 5 * minute,
  scanMs: 5000,
  enrolMs: 10 * minute,
}
