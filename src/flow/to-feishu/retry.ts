export interface RetryPlan {
  /** How many attempts were made, 1 after the first. */
  attempt: number
  baseMs: number
  maxMs: number
  /** From 0 up to, not including, 1. */
  random: number
  /** How long the delivery is being tried, without the time that it waited for limits, holds or outages of our own. */
  ageMs?: number
  /** Past this age nothing is tried again. */
  maxAgeMs?: number
}

/**
 * Milliseconds until the next attempt, `null` to stop: exponential with full jitter, so that deliveries that failed
 * together do not come back together.
 */
export function retryDelayMs(plan: RetryPlan): number | null {
  if (plan.maxAgeMs !== undefined && (plan.ageMs ?? 0) >= plan.maxAgeMs) return null
  return Math.round(plan.random * backoffCeilingMs(plan))
}

export function backoffCeilingMs(plan: Pick<RetryPlan, 'attempt' | 'baseMs' | 'maxMs'>): number {
  // 2 ** 1023 is still a number, one more is not.
  const doublings = Math.min(Math.max(plan.attempt - 1, 0), 1000)
  return Math.min(plan.maxMs, plan.baseMs * 2 ** doublings)
}
