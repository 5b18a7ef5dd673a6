import type { VendorFailure } from '../flow/vendor/adapter.js'

/** What a check found. Texts name fields, counts, states and order ids; never a name, a result or a link. */
export type CheckOutcome =
  | { outcome: 'ok'; detail?: string }
  /** Works, and will hurt one day. */
  | { outcome: 'warning'; expected: string; got: string }
  | { outcome: 'failed'; expected: string; got: string }
  | { outcome: 'skipped'; why: string }

export type CheckResult = CheckOutcome & {
  /** As `--only` takes it. */
  check: string
  /** What the check claims when it is `ok`. */
  about: string
  /** Where docs/vendor-api.md tells what is expected: an anchor in it. */
  see: string
  /** How long the check took, in milliseconds. */
  ms: number
}

export const ok = (detail?: string): CheckOutcome => ({ outcome: 'ok', ...(detail !== undefined && { detail }) })
export const failed = (expected: string, got: string): CheckOutcome => ({ outcome: 'failed', expected, got })
export const warning = (expected: string, got: string): CheckOutcome => ({ outcome: 'warning', expected, got })
export const skipped = (why: string): CheckOutcome => ({ outcome: 'skipped', why })

/** A value that other checks stand on, or what to say instead of what they would find; `failure` is the vendor's answer. */
export type Had<T> = { kind: 'had'; value: T } | { kind: 'missing'; outcome: CheckOutcome; failure?: VendorFailure }

export const had = <T>(value: T): Had<T> => ({ kind: 'had', value })
export const missing = (outcome: CheckOutcome, failure?: VendorFailure): Had<never> => ({
  kind: 'missing',
  outcome,
  ...(failure !== undefined && { failure }),
})
